"""What is measured once, of our worker alone."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench.contenders import by_name
from bench.process import Running, started
from bench.server import Database
from bench.templates import Jobs, add, left
from bench.throughput import Bench

TELL_EVERY = 0.25
"""Seconds between two counts that a worker tells."""
BACKLOG = 100_000
TOP_UP = 20_000
SETTLES_WITHIN = 2.0
"""Seconds that a worker needs at most from its start to its first idle look."""

_ENTRY = re.compile(r"\n(?!\t)")
_LEFT = left("ours")


@dataclass(frozen=True, kw_only=True)
class Idle:
    """A worker without jobs.

    Attributes:
        claims: a second, which is a poll interval.
        cpu_percent: of one core.
    """

    claims: float
    cpu_percent: float


async def idle(bench: Bench, seconds: float) -> Idle:
    """All defaults, and every statement logged."""
    async with _database(bench, Jobs(ready=0)) as database:
        await bench.server.execute(f"alter database {database.name} set log_statement = 'all'")
        async with _worker(bench, database, "ours_default") as running:
            await asyncio.sleep(SETTLES_WITHIN)
            before, used = claims_in(await bench.server.log()), running.cpu_seconds()
            began = time.monotonic()
            await asyncio.sleep(seconds)
            elapsed = time.monotonic() - began
            used = running.cpu_seconds() - used
            claims = claims_in(await bench.server.log()) - before
    return Idle(claims=claims / elapsed, cpu_percent=used / elapsed * 100)


def claims_in(log: str) -> int:
    """How many claims a log of statements shows: each locks jobs, and passes over locked ones."""
    entries = _ENTRY.split(log)
    return sum("_private_jobs" in entry and "skip locked" in entry.lower() for entry in entries)


async def memory_of_local_queue(bench: Bench, jobs: int) -> float:
    """Resident MB of a worker that holds so many small jobs in its local queue.

    The queue has twice the room: a worker claims again when half of it is free.
    """
    async with _database(bench, Jobs(ready=2 * jobs, payload_bytes=20)) as database:
        options = {"concurrency": 1, "local_queue": 2 * jobs}
        async with _worker(bench, database, "ours_default", role="hold", **options) as running:
            locked = f"{_LEFT} where locked_by is not null"
            async with asyncio.timeout(60):
                while await database.count(locked) < jobs:
                    await asyncio.sleep(0.05)
            return running.resident_mb()


async def start_on_empty_table(bench: Bench, jobs: int) -> float:
    """Seconds from the commit that brings the jobs to the end of the last one.

    The worker, 24 slots, started on an empty table, and autovacuum never tells the planner of its
    growth.
    """
    async with _database(bench, Jobs(ready=0)) as database:
        connection = database.connection
        await connection.execute(
            "alter table graphile_worker._private_jobs set (autovacuum_enabled = false)"
        )
        async with _worker(bench, database, "ours_slots", jobs=jobs) as running:
            await asyncio.sleep(SETTLES_WITHIN)
            await add(connection, Jobs(ready=jobs))
            began = time.monotonic()
            await running.event("last")
            while await database.count(_LEFT):
                await asyncio.sleep(0.001)
            return time.monotonic() - began


async def quarters_under_old_snapshot(bench: Bench, seconds: float) -> list[float]:
    """Jobs a second in each quarter of the time that another session holds a snapshot open.

    24 slots, jobs with a `run_at` each, and always some 100,000 of them ready.
    """
    ready = Jobs(ready=BACKLOG, distinct_run_at=True)
    async with _database(bench, ready) as database:
        holder = await asyncpg.connect(database.url)
        try:
            async with _worker(bench, database, "ours_slots", tell_every=TELL_EVERY) as running:
                counts = Counts(running)
                counting = asyncio.create_task(counts.follow())
                adding = asyncio.create_task(_keep_up_backlog(database, counts))
                await asyncio.sleep(SETTLES_WITHIN)
                await holder.execute("begin isolation level repeatable read")
                await holder.execute("select 1")
                marks = await counts.at([seconds * quarter / 4 for quarter in range(5)])
                for task in (counting, adding):
                    task.cancel()
                await asyncio.gather(counting, adding, return_exceptions=True)
        finally:
            await holder.close()
    return [done / took for done, took in rates_between(marks)]


def rates_between(marks: list[tuple[float, int]]) -> list[tuple[int, float]]:
    """From (time, jobs so far) to (jobs, seconds) of each stretch."""
    return [
        (jobs - before, time_ - began)
        for (began, before), (time_, jobs) in itertools.pairwise(marks)
    ]


class Counts:
    """What a worker told of how many jobs it ran."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.latest = (0.0, 0)
        """Seconds of the monotonic clock, jobs."""

    async def follow(self) -> None:
        async for words in self._running.events():
            if words[0] == "count":
                self.latest = int(words[1]) / 1e9, int(words[2])

    async def at(self, seconds: list[float]) -> list[tuple[float, int]]:
        """The latest count at each time from now."""
        began = time.monotonic()
        marks = []
        for each in seconds:
            await asyncio.sleep(max(0.0, began + each - time.monotonic()))
            marks.append(self.latest)
        return marks


async def _keep_up_backlog(database: Database, counts: Counts) -> None:
    added = BACKLOG
    connection = await asyncpg.connect(database.url)
    try:
        while True:
            if added - counts.latest[1] < BACKLOG:
                await add(connection, Jobs(ready=TOP_UP, distinct_run_at=True), start=added + 1)
                added += TOP_UP
            else:
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


@asynccontextmanager
async def _database(bench: Bench, jobs: Jobs) -> AsyncGenerator[Database]:
    template, _ = await bench.templates.of("ours", jobs)
    async with bench.server.copy(template) as database:
        yield database


@asynccontextmanager
async def _worker(
    bench: Bench, database: Database, name: str, *, role: str = "work", **options: Any
) -> AsyncGenerator[Running]:
    contender = by_name(name)
    asked = {"jobs": -1, **contender.options, **options}
    async with started(bench.programs["ours"], role, database.url, asked) as running:
        yield running
