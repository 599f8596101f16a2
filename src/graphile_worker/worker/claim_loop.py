"""What loops that claim have in common, whatever a claim is."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from graphile_worker.errors import DatabaseError
from graphile_worker.runtime.shutdown import ShutdownSignal
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.steady_connection import LOCKED

_PATIENCE: Final = 1.0
"""Seconds for which claims may wait for the locks of others before that is a failure."""
_LET_PASS: Final = 0.02
"""Seconds until a claim that waited is sent anew, at most."""


class MissingRoom:
    """Whether a loop waits for room; only then is room a reason to wake it up."""

    def __init__(self, wakeup: Wakeup) -> None:
        self._wakeup = wakeup
        self._is_missing = False

    def made(self) -> None:
        """A slot is free, or an outcome stored."""
        if self._is_missing:
            self._is_missing = False
            self._wakeup()

    async def wait(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 (a poll)
        """Wait for room, for any other reason to look again, or for so many seconds."""
        self._is_missing = True
        await self._wakeup.wait(timeout)
        self._is_missing = False


class Hindrances:
    """Claims that only came to wait for others, for a moment.

    `skip locked` passes by rows that are locked, but PostgreSQL waits for a row that changes again
    while its new version is being looked for: workers that run tiny jobs of the same batch meet
    there.
    """

    def __init__(self, shutdown: ShutdownSignal) -> None:
        self._shutdown = shutdown
        self._since: float | None = None

    def passed(self) -> None:
        """A claim was answered."""
        self._since = None

    def is_one(self, error: DatabaseError) -> bool:
        """Whether the claim that failed is worth no word, and to be sent anew."""
        if error.sqlstate != LOCKED:
            return False
        now = time.monotonic()
        if self._since is None:
            self._since = now
        return now - self._since < _PATIENCE

    async def let_pass(self) -> None:
        """Wait a little, each worker for another time."""
        await pause(self._shutdown, random.uniform(0, _LET_PASS))  # noqa: S311 (jitter)


async def claim_until_empty(
    claim: Callable[[], Awaitable[int | None]],
    *,
    is_idle: Callable[[], bool],
    room: MissingRoom,
    shutdown: ShutdownSignal,
    poll_interval: float,
) -> None:
    """Claim until nothing is due and nothing runs, or the worker drains.

    Two empty claims in a row end it: one alone proves nothing while another session holds rows
    locked.

    Args:
        claim: how many jobs it took; None where that says nothing.
        is_idle: whether nothing runs, and all outcomes are stored.
        room: what wakes up the loop when a job ends.
        shutdown: of the worker.
        poll_interval: seconds between claims while jobs run that may add others.
    """
    empty_claims = 0
    while empty_claims < 2 and not shutdown.draining.is_set():  # noqa: PLR2004
        if await claim() != 0:
            empty_claims = 0
        elif is_idle():
            empty_claims += 1
        else:
            empty_claims = 0
            await room.wait(poll_interval)


async def pause(shutdown: ShutdownSignal, delay: float) -> None:
    """Wait for so many seconds, but not past the start of the shutdown."""
    try:
        async with asyncio.timeout(delay):
            await shutdown.draining.wait()
    except TimeoutError:
        return
