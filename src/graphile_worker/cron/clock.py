"""What time it is, and waiting for another."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

from graphile_worker.database.executor import Executor
from graphile_worker.queries.cron import now


class Clock(Protocol):
    """The one source of time of a scheduler, so that tests can turn it."""

    async def now(self) -> datetime:
        """The time in UTC.

        Raises:
            DatabaseError: it cannot be asked at the moment.
        """
        ...

    async def sleep_until(self, instant: datetime) -> None:
        """Wait about until then; whoever waits asks again what time it is."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait, whatever the time is."""
        ...


class DatabaseClock:
    """The database's clock, which all workers share; waits are measured on this machine."""

    def __init__(self, database: Executor) -> None:
        self._database = database
        self._answer = datetime.now(UTC)
        self._answered = time.monotonic()

    async def now(self) -> datetime:
        """See `Clock.now`."""
        self._answer = (await self._database.run(now())).astimezone(UTC)
        self._answered = time.monotonic()
        return self._answer

    async def sleep_until(self, instant: datetime) -> None:
        """See `Clock.sleep_until`; counted from the last answer, however long ago that was."""
        passed = time.monotonic() - self._answered
        await asyncio.sleep(max(0.0, (instant - self._answer).total_seconds() - passed))

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(seconds)


class LocalClock:
    """This machine's clock, for `use_local_time`."""

    async def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    async def sleep_until(self, instant: datetime) -> None:
        """See `Clock.sleep_until`."""
        await asyncio.sleep(max(0.0, (instant - datetime.now(UTC)).total_seconds()))

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(seconds)
