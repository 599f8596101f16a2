"""Figures that many look at and one statement gives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from graphile_worker.errors import DatabaseError

T = TypeVar("T")

DUTY: Final = 40
"""A sample is kept for at least so many times what it took. One alone takes 2.5 % of a connection
at most, and those of an open page together stay below 5 %: only one reads the whole table."""


@dataclass(frozen=True, slots=True)
class Sample(Generic[T]):
    """A value with its time.

    Attributes:
        value: as it was then.
        at: when it was taken, by this process's clock.
        seconds: what taking it took.
        error: why there is no newer one; None when nothing is wrong.
    """

    value: T
    at: datetime
    seconds: float
    error: str | None = None

    @property
    def age(self) -> float:
        """Seconds since it was taken."""
        return (datetime.now(UTC) - self.at).total_seconds()


class Sampled(Generic[T]):
    """Takes a sample when somebody asks and the last one is old; one at a time, shared by all.

    Who comes while there is an old one gets that, and a new one is taken meanwhile: only the first
    waits. Where a new one cannot be had, the old one stays, with the reason. While nobody asks,
    nothing is done.

    Args:
        take: takes a sample.
        every: seconds for which a sample is good, or longer where taking it took long.
        too_old: seconds after which nobody is given the old one while waiting for the new one.
    """

    def __init__(
        self, take: Callable[[], Awaitable[T]], *, every: float, too_old: float = 60.0
    ) -> None:
        self._take = take
        self._every = every
        self._too_old = too_old
        self._last: Sample[T] | None = None
        self._taken = 0.0
        self._period = every
        self._taking: asyncio.Task[Sample[T]] | None = None

    @property
    def last(self) -> Sample[T] | None:
        """The last sample, however old; None before the first one."""
        return self._last

    @property
    def period(self) -> float:
        """Seconds for which the last sample is good."""
        return self._period

    @property
    def rest(self) -> float:
        """Seconds for which it has to rest yet for what it took, however new it ought to be."""
        last = self._last
        return 0.0 if last is None else max(0.0, DUTY * last.seconds - last.age)

    async def get(self, *, fresh: bool = False) -> Sample[T]:
        """The sample as it stands.

        Cancel safety: the sample is taken for others too, and goes on.

        Args:
            fresh: wait for one that is taken from now on, whatever it costs.

        Raises:
            DatabaseError: there is none, and none can be had.
        """
        age = time.monotonic() - self._taken
        if self._last is not None and not fresh and age < self._period:
            return self._last
        taking = self._start(anew=fresh)
        if self._last is not None and not fresh and age < max(self._too_old, 2 * self._period):
            return self._last
        return await asyncio.shield(taking)

    async def aclose(self) -> None:
        """Stop what is under way."""
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.wait([self._taking])

    def _start(self, *, anew: bool) -> asyncio.Task[Sample[T]]:
        if self._taking is None or self._taking.done() or anew:
            self._taking = asyncio.get_running_loop().create_task(self._sample())
            self._taking.add_done_callback(_look_at)
        return self._taking

    async def _sample(self) -> Sample[T]:
        began = time.monotonic()
        try:
            value = await self._take()
        except DatabaseError as error:
            self._paced(began)
            if self._last is None:
                raise
            last = self._last
            self._last = Sample(last.value, last.at, last.seconds, str(error))
            return self._last
        self._paced(began)
        self._last = Sample(value, datetime.now(UTC), self._taken - began)
        return self._last

    def _paced(self, began: float) -> None:
        self._taken = time.monotonic()
        self._period = max(self._every, DUTY * (self._taken - began))


def _look_at(task: asyncio.Task[Sample[T]]) -> None:
    """Nobody may be waiting any more, and asyncio complains of errors that nobody saw."""
    if not task.cancelled():
        task.exception()
