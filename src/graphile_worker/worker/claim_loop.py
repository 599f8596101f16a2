"""What loops that claim have in common, whatever a claim is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from graphile_worker.runtime.shutdown import ShutdownSignal
from graphile_worker.runtime.wakeup import Wakeup


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
