"""Serial queues under workers that claim ahead, fail and die: never two at once, and in order.

Every claim that ran is written down with what it saw of its job. Afterwards the ledger has to show,
for each queue, that runs did not overlap, and that each claim took the first of the jobs that were
due: by priority, then run_at, then id.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import pytest
from support.running import sql, until

JOBS = "graphile_worker._private_jobs"
QUEUES, EACH, KILLS, WORKERS = 5, 40, 3, 3
SETTLED = timedelta(seconds=0.2)
"""Who has been due for so long must have been seen by the claim."""

LEDGER = """
create table public.runs (
  job_id bigint, queue text, priority int, run_at timestamptz, claimed_at timestamptz,
  worker text, began timestamptz default clock_timestamp(), ended timestamptz
)
"""

PROGRAM = """
import asyncio, random, sys
from datetime import timedelta
from graphile_worker import LocalQueueConfig, WorkerContext, WorkerOptions, task

dice = random.Random(sys.argv[2])

@task(payload=None, backoff=lambda _: timedelta(milliseconds=dice.randrange(60)))
async def step(ctx: WorkerContext):
    job = ctx.job
    async with ctx.database.connection() as connection:
        place = await connection.raw.fetchval(
            "insert into public.runs values ($1, $2, $3, $4, $5, $6) returning ctid",
            job.id, ctx.queue_name, job.priority, job.run_at, job.locked_at, ctx.worker_id)
    await asyncio.sleep(dice.uniform(0, 0.01))
    async with ctx.database.connection() as connection:
        await connection.raw.execute(
            "update public.runs set ended = clock_timestamp() where ctid = $1", place)
    if dice.random() < 0.15:
        raise ValueError(job.id)

async def main():
    options = WorkerOptions(
        database_url=sys.argv[1], tasks=[step], concurrency=4, poll_interval=0.1,
        heartbeat_interval=0.2, sweep_interval=0.5, sweep_threshold=5, recovery_delay=0,
        local_queue=LocalQueueConfig(size=20))
    async with options.init() as worker:
        await worker.run()

asyncio.run(main())
"""


@dataclass(frozen=True)
class Run:
    """A row of the ledger."""

    job_id: int
    queue: str
    priority: int
    run_at: datetime
    claimed_at: datetime
    worker: str
    began: datetime
    ended: datetime | None

    @property
    def place(self) -> tuple[int, datetime, int]:
        return (self.priority, self.run_at, self.job_id)


@asynccontextmanager
async def fleet(url: str, dice: random.Random) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    processes = [await started(url, dice) for _ in range(WORKERS)]
    try:
        yield processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def started(url: str, dice: random.Random) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        url,
        str(dice.random()),
        stderr=asyncio.subprocess.DEVNULL,
    )


async def fill(connection: asyncpg.Connection, dice: random.Random) -> None:
    """Jobs with the same few priorities and times, so that each part of the order counts."""
    for number in range(QUEUES * EACH):
        await connection.execute(
            "select graphile_worker.add_job('step', queue_name => $1, priority => $2,"
            " run_at => now() - $3::float8 * interval '1 minute', max_attempts => 100)",
            f"q{number % QUEUES}",
            dice.randrange(3),
            float(dice.randrange(4)),
        )
        if number % 2:
            await connection.execute("select graphile_worker.add_job('step')")


async def ledger(connection: asyncpg.Connection) -> dict[str, list[Run]]:
    rows = await connection.fetch(
        "select * from public.runs where queue is not null order by began"
    )
    runs: dict[str, list[Run]] = defaultdict(list)
    for row in rows:
        runs[row["queue"]].append(Run(*row.values()))
    return runs


@pytest.mark.full
@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_queues_are_serial_and_in_order(gw_database: str, seed: int) -> None:
    dice = random.Random(seed)
    async with sql(gw_database) as connection:
        await connection.execute(LEDGER)
        await fill(connection, dice)
        async with fleet(gw_database, dice) as processes:
            for kill in range(KILLS):

                async def under_way(kill: int = kill) -> bool:
                    count = await connection.fetchval("select count(*) from public.runs")
                    return count >= (kill + 1) * QUEUES * EACH // (KILLS + 1)

                await until(under_way, seconds=60)
                victim = dice.randrange(WORKERS)
                processes[victim].kill()
                await processes[victim].wait()
                processes[victim] = await started(gw_database, dice)

            async def empty() -> bool:
                return not await connection.fetchval(f"select count(*) from {JOBS}")

            await until(empty, seconds=90)
        runs = await ledger(connection)
    assert len(runs) == QUEUES
    for queue in runs.values():
        assert len({run.job_id for run in queue}) == EACH
        assert overlaps(queue) == []
        assert overtakings(queue) == []


def overlaps(queue: list[Run]) -> list[tuple[Run, Run]]:
    """Runs that began before the one before had ended; one that was killed has no end.

    `claimed_at` says nothing about it: it is the moment in which the claim's transaction began, and
    what the claim then sees and locks may be newer.
    """
    return [
        (one, next_)
        for one, next_ in itertools.pairwise(queue)
        if next_.began < (one.ended or one.began)
    ]


def overtakings(queue: list[Run]) -> list[tuple[Run, Run]]:
    """Claims of a job while one that comes before it had been due for a while."""
    found: list[tuple[Run, Run]] = []
    for index, run in enumerate(queue):
        seen = {run.job_id}
        for later in queue[index + 1 :]:
            if later.job_id in seen:
                continue
            seen.add(later.job_id)
            if later.run_at <= run.claimed_at - SETTLED and later.place < run.place:
                found.append((run, later))
    return found
