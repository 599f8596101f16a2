"""Figures that many look at and one statement gives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from graphile_worker.errors import ConnectionLostError, DatabaseError

T = TypeVar("T")

DUTY: Final = 40
"""A sample is kept for at least so many times what it took: one alone takes 2.5 % of a connection
at most."""
SHARE: Final = 0.045
"""What all of them take together, of one connection: a twentieth, with what ending late costs."""
_WATCHED: Final = 4
"""Periods after which nobody is thought to look at a sample any more."""
_AGAIN: Final = 2.0
"""Seconds until what failed at once is tried again, however long a sample would be good for."""
_AWAY: Final = 30.0
"""Seconds until a database is tried again, at the longest, that was long in not answering."""
_PATIENCE: Final = 1.0
"""Where a sample failed after more seconds than this, nobody is made to wait for the next one."""


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


class Budget:
    """What samples may take of a connection, all together."""

    def __init__(self) -> None:
        self._samples: list[Sampled[Any]] = []
        self.stretch = 1.0
        """By how much all of them are good for longer than each for itself would be."""
        self.seconds = 0.0
        """What all of them took so far."""

    @property
    def busy(self) -> float:
        """The part of a connection that they take, by what each took last."""
        return sum(one.share for one in self._samples) / self.stretch

    def add(self, sampled: Sampled[Any]) -> None:
        """One more shares it."""
        self._samples.append(sampled)

    def took(self, seconds: float) -> None:
        """One of them was taken, or failed after so long: see what they come to."""
        self.seconds += seconds
        self.stretch = max(1.0, sum(one.share for one in self._samples) / SHARE)


class Sampled(Generic[T]):
    """Takes a sample when somebody asks and the last one is old; one at a time, shared by all.

    Who comes while there is an old one gets that, and a new one is taken meanwhile: only the first
    waits. Where a new one cannot be had, the old one stays, with the reason; where there is none
    yet, all are told the reason, and trying keeps to the budget too. While nobody asks, nothing is
    done.

    Args:
        take: takes a sample.
        every: seconds for which a sample is good, or longer where taking it took long.
        too_old: seconds after which nobody is given the old one while waiting for the new one.
        budget: shared with others: while they take too much together, all are good for longer.
    """

    def __init__(
        self,
        take: Callable[[], Awaitable[T]],
        *,
        every: float,
        too_old: float = 60.0,
        budget: Budget | None = None,
    ) -> None:
        self._take = take
        self._every = every
        self._too_old = too_old
        self._last: Sample[T] | None = None
        self._error: DatabaseError | None = None
        """Why there is no first one."""
        self._taken = 0.0
        self._spent = 0.0
        """What the last attempt took of a connection, whatever came of it."""
        self._period = every
        self._taking: asyncio.Task[Sample[T]] | None = None
        self._wanted_turn = self._last_turn = self._taking_turn = 0
        """How often it had expired: now, when the last was begun, when the next was."""
        self._budget = Budget() if budget is None else budget
        self._budget.add(self)

    @property
    def last(self) -> Sample[T] | None:
        """The last sample, however old; None before the first one."""
        return self._last

    @property
    def period(self) -> float:
        """Seconds for which the last sample is good."""
        return self._period * self._budget.stretch

    @property
    def share(self) -> float:
        """The part of a connection that it would take for itself; 0 while nobody looks."""
        if time.monotonic() - self._taken > _WATCHED * self.period:
            return 0.0
        return self._spent / self._period

    @property
    def rest(self) -> float:
        """Seconds for which it has to rest yet for what it took, however new it ought to be."""
        age = time.monotonic() - self._taken
        return max(0.0, self._budget.stretch * DUTY * self._spent - age)

    async def get(self, *, fresh: bool = False) -> Sample[T]:
        """The sample as it stands.

        Cancel safety: the sample is taken for others too, and goes on.

        Args:
            fresh: wait for one that is taken from now on, whatever it costs.

        Raises:
            DatabaseError: there is none, and none can be had.
        """
        age = time.monotonic() - self._taken
        last = None if fresh or self._last_turn != self._wanted_turn else self._last
        period = self.period
        if last is not None and age < period:
            return last
        error = None if fresh else self._error
        if error is not None and age < period:
            raise error.with_traceback(None)  # it would grow by each who is told
        taking = self._start(anew=fresh or self._taking_turn != self._wanted_turn)
        if last is not None and age < max(self._too_old, 2 * period):
            return last
        if error is not None and self._spent > _PATIENCE and age < 2 * period:
            raise error.with_traceback(None)
        return await asyncio.shield(taking)

    def expire(self) -> None:
        """Give nobody a sample that was begun before now: it is known to be wrong."""
        self._wanted_turn += 1

    async def aclose(self) -> None:
        """Stop what is under way."""
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.wait([self._taking])

    def _start(self, *, anew: bool) -> asyncio.Task[Sample[T]]:
        if self._taking is None or self._taking.done() or anew:
            self._taking_turn = self._wanted_turn
            self._taking = asyncio.get_running_loop().create_task(self._sample(self._wanted_turn))
            self._taking.add_done_callback(_look_at)
        return self._taking

    async def _sample(self, turn: int) -> Sample[T]:
        began = time.monotonic()
        try:
            value = await self._take()
        except DatabaseError as error:
            self._failed(error, time.monotonic() - began, turn)
            if self._last is None:
                self._error = error
                raise
            last = self._last
            self._last = Sample(last.value, last.at, last.seconds, str(error))
            return self._last
        seconds = time.monotonic() - began
        self._last, self._error = Sample(value, datetime.now(UTC), seconds), None
        self._paced(seconds, max(self._every, DUTY * seconds), turn)
        return self._last

    def _failed(self, error: DatabaseError, seconds: float, turn: int) -> None:
        soon = min(self._every, _AGAIN)
        if isinstance(error, ConnectionLostError):
            # The database did nothing meanwhile, and who looks wants to know soon that it is back.
            self._paced(0.0, max(soon, min(_AWAY, DUTY * seconds)), turn)
        else:
            self._paced(seconds, max(soon, DUTY * seconds), turn)

    def _paced(self, seconds: float, period: float, turn: int) -> None:
        self._last_turn = turn
        self._taken = time.monotonic()
        self._spent = seconds
        self._period = period
        self._budget.took(seconds)


def _look_at(task: asyncio.Task[Sample[T]]) -> None:
    """Nobody may be waiting any more, and asyncio complains of errors that nobody saw."""
    if not task.cancelled():
        task.exception()
