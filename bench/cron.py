"""Recurring jobs: a minute of 10,000 entries, and a start that makes up for a day of 1,000."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from graphile_worker import Crontab, WorkerUtils, parse_crontab
from graphile_worker.client.open_database import open_database
from graphile_worker.cron.scheduler import CronScheduler
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.embedded.server import EmbeddedPostgres

ENTRIES = 10_000
MINUTES = 5
HOURLY = 1_000
HOURS = 24
BACKFILL_TARGET = 5.0
START = datetime(2026, 1, 2, 8, 0, 30, tzinfo=UTC)


class SteppedClock:
    """A clock that is told how late it is; whoever waits for it waits until it is told again."""

    def __init__(self) -> None:
        self.time = START
        self.waiting = asyncio.Event()
        self._told = asyncio.Event()

    async def now(self) -> datetime:
        return self.time

    async def sleep_until(self, instant: datetime) -> None:
        del instant
        self._told.clear()
        self.waiting.set()
        await self._told.wait()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"the database failed; {seconds} s")

    async def step(self, to: datetime) -> float:
        """Seconds that a scheduler needs for what is owed by then."""
        self.waiting.clear()
        self.time = to
        started = time.perf_counter()
        self._told.set()
        await self.waiting.wait()
        return time.perf_counter() - started


async def main() -> int:
    server = await asyncio.to_thread(EmbeddedPostgres.start)
    try:
        return await measure(server.url)
    finally:
        await asyncio.to_thread(server.close)


async def measure(url: str) -> int:
    database = await open_database(url)
    await WorkerUtils(database).migrate()
    ticks = await a_minute(database)
    print(
        f"a minute of {ENTRIES:,} entries, one statement: first {ticks[0]:.2f} s, "
        f"then {min(ticks[1:]):.2f} to {max(ticks[1:]):.2f} s"
    )
    connection = await asyncpg.connect(url)
    seconds = await a_start(database, connection)
    count = await connection.fetchval(
        "select count(*) from graphile_worker.jobs where task_identifier = 'hourly'"
    )
    assert count == HOURLY * HOURS, count
    print(
        f"a start that makes up for {HOURS} hours of {HOURLY:,} hourly entries: "
        f"{count:,} jobs in {seconds:.2f} s (target {BACKFILL_TARGET:.0f} s)"
    )
    await connection.close()
    await database.aclose()
    return 0 if seconds < BACKFILL_TARGET else 1


async def a_minute(database: Database) -> list[float]:
    entries = parse_crontab(
        "\n".join(f"* * * * * task_{n % 100} ?id=entry_{n} {{n: {n}}}" for n in range(ENTRIES))
    )
    clock = SteppedClock()
    running = await started(database, entries, clock)
    ticks = [await clock.step(START + timedelta(minutes=n + 1)) for n in range(MINUTES)]
    running.cancel()
    return ticks


async def a_start(database: Database, connection: asyncpg.Connection) -> float:
    await connection.execute(
        "insert into graphile_worker._private_known_crontabs (identifier, known_since)"
        " select 'hourly_' || n, $1::timestamptz from generate_series(0, $2::integer - 1) as n",
        START - timedelta(days=30),
        HOURLY,
    )
    text = "\n".join(f"{n % 60} * * * * hourly ?id=hourly_{n}&fill=24h" for n in range(HOURLY))
    entries = parse_crontab(text)
    begun = time.perf_counter()
    running = await started(database, entries, SteppedClock())
    seconds = time.perf_counter() - begun
    running.cancel()
    return seconds


async def started(
    database: Database, entries: Sequence[Crontab], clock: SteppedClock
) -> asyncio.Task[None]:
    """A scheduler after its first look."""
    scheduler = CronScheduler(entries, database, Schema("graphile_worker"), clock=clock)
    running = asyncio.create_task(scheduler.run())
    await clock.waiting.wait()
    return running
