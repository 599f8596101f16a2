from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from support.running import sql
from support.simulated_clock import SimulatedClock

from graphile_worker import parse_crontab
from graphile_worker.client.open_database import open_database
from graphile_worker.cron.scheduler import CronScheduler
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema

MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)


@dataclass
class Stage:
    """A database, a clock that both sides obey, and a look behind the scenes."""

    url: str
    database: Database
    clock: SimulatedClock
    connection: asyncpg.Connection

    def scheduler(self, text: str, database: Any = None, **how: Any) -> CronScheduler:
        return CronScheduler(
            parse_crontab(text),
            database or self.database,
            Schema("graphile_worker"),
            clock=self.clock,
            **how,
        )

    @asynccontextmanager
    async def scheduling(self, text: str, **how: Any) -> AsyncIterator[CronScheduler]:
        """A scheduler that runs meanwhile, its first look done."""
        scheduler = self.scheduler(text, **how)
        task = self.clock.start(scheduler.run())
        await self.clock.go_on_until(self.clock.time)
        try:
            yield scheduler
        finally:
            await self.clock.stop(task)

    async def jobs(self) -> list[asyncpg.Record]:
        return await self.connection.fetch(
            "select t.identifier, j.* from graphile_worker._private_jobs j"
            " join graphile_worker._private_tasks t on t.id = j.task_id order by j.run_at, j.id"
        )

    async def runs(self) -> list[str]:
        """`task time`, and a `*` for those that were made up for."""
        found = []
        for job in await self.jobs():
            cron = json.loads(job["payload"])["_cron"]
            at = datetime.fromisoformat(cron["ts"])
            assert at == job["run_at"]
            found.append(f"{job['identifier']} {at:%H:%M}{'*' if cron['backfilled'] else ''}")
        return found

    async def known(self) -> dict[str, tuple[datetime, datetime | None]]:
        rows = await self.connection.fetch("select * from graphile_worker._private_known_crontabs")
        return {row["identifier"]: (row["known_since"], row["last_execution"]) for row in rows}

    async def remember(self, identifier: str, since: datetime, last: datetime | None) -> None:
        """A row as any implementation leaves it."""
        await self.connection.execute(
            "insert into graphile_worker._private_known_crontabs values ($1, $2, $3)",
            identifier,
            since,
            last,
        )


@pytest.fixture
async def stage(gw_database: str) -> AsyncIterator[Stage]:
    database = await open_database(gw_database)
    try:
        async with sql(gw_database) as connection:
            yield Stage(gw_database, database, SimulatedClock(MORNING), connection)
    finally:
        await database.aclose()
