"""A day of ten workers, restarts and an outage, by the clock of the simulation."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, Self

import asyncpg
import pytest

from graphile_worker import parse_crontab
from graphile_worker.client.open_database import open_database
from graphile_worker.testing.databases import DatabaseServer

MINUTE = timedelta(minutes=1)
WORKERS = 10
TEXT = (
    "* * * * * minutely ?fill=2h\n*/30 * * * * lately\n0 2 * * * nightly ?fill=1d&tz=Europe/Paris"
)


class DatabaseGate:
    """Shuts everybody out of a database, and lets them in again: what its clients call an outage."""

    def __init__(self, server: DatabaseServer, url: str) -> None:
        self._server = server
        self._name = url.partition("?")[0].rpartition("/")[2]

    async def shut(self) -> None:
        connection = await asyncpg.connect(self._server.url)
        await connection.execute(f'alter database "{self._name}" allow_connections false')
        await connection.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", self._name
        )
        await connection.close()

    async def open(self) -> None:
        connection = await asyncpg.connect(self._server.url)
        await connection.execute(f'alter database "{self._name}" allow_connections true')
        await connection.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "hours", [pytest.param(3, id="three hours"), pytest.param(24, marks=pytest.mark.full)]
)
async def test_exactly_the_jobs_that_the_crontab_means(stage, server: DatabaseServer, hours: int):
    clock, start = stage.clock, stage.clock.time
    end = start + timedelta(hours=hours)
    began = start + timedelta(hours=1, seconds=30)
    ended = start + timedelta(hours=2, minutes=31)
    gate = DatabaseGate(server, stage.url)
    await stage.connection.close()
    async with Fleet(stage, random.Random(hours)) as fleet:
        await fleet.work_until(began)
        await gate.shut()
        await clock.go_on_until(ended)
        await gate.open()
        await fleet.work_until(end)
        await clock.go_on_until(end + MINUTE / 2)
    stage.connection = await asyncpg.connect(stage.url)
    jobs = await stage.jobs()
    await stage.connection.close()
    found = {(job["identifier"], job["run_at"]): backfilled(job) for job in jobs}
    assert len(found) == len(jobs), "none twice"
    assert found == expected(start, end, began, ended)


class Fleet:
    """Ten workers, each of which is stopped and replaced now and then."""

    def __init__(self, stage, chance: random.Random) -> None:
        self._stage = stage
        self._chance = chance
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._databases = [await open_database(self._stage.url, max_connections=1) for _ in "123"]
        for database in self._databases:
            self._stack.push_async_callback(database.aclose)
        self._tasks = [self._worker(number) for number in range(WORKERS)]
        await self._stage.clock.go_on_until(self._stage.clock.time)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        for task in self._tasks:
            await self._stage.clock.stop(task)
        await self._stack.aclose()

    async def work_until(self, end: datetime) -> None:
        clock = self._stage.clock
        while clock.time < end:
            number = self._chance.randrange(WORKERS)
            await clock.stop(self._tasks[number])
            self._tasks[number] = self._worker(number)
            step = timedelta(seconds=self._chance.randint(0, 600))
            await clock.go_on_until(min(clock.time + step, end))

    def _worker(self, number: int) -> asyncio.Task[None]:
        database = self._databases[number % len(self._databases)]
        return self._stage.clock.start(self._stage.scheduler(TEXT, database).run())


def expected(start: datetime, end: datetime, began: datetime, ended: datetime) -> dict[Any, bool]:
    """Every run, and whether it was missed at its time; those are lost that no `fill` covers."""
    found: dict[Any, bool] = {}
    for entry in parse_crontab(TEXT):
        for run in itertools.takewhile(lambda run: run <= end, entry.runs(start)):
            missed = began < run < ended
            if not missed or ended - run <= max(entry.fill.period, 5 * MINUTE):
                found[entry.task, run] = missed
    return found


def backfilled(job: asyncpg.Record) -> bool:
    answer: bool = json.loads(job["payload"])["_cron"]["backfilled"]
    return answer
