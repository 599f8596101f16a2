"""A worker against a loop that claims and deletes one job at a time.

100,000 jobs that do nothing, concurrency 24, no local queue; the yardstick uses 24 connections and
the plain statements every queue on PostgreSQL starts with. Both run on the same server, one after
the other, three rounds interleaved; the median of each counts.
"""

import asyncio
import statistics
import time

import asyncpg

from graphile_worker import Worker, WorkerOptions, WorkerUtils, task
from graphile_worker.embedded.server import EmbeddedPostgres

JOBS = 100_000
CONCURRENCY = 24
ROUNDS = 3
TARGET = 4.0
YARDSTICK_JOBS = 20_000

CLAIM_ONE = """
update graphile_worker._private_jobs
set attempts = attempts + 1, locked_by = $1, locked_at = now()
where id = (
  select id from graphile_worker._private_jobs
  where is_available = true and run_at <= now() and task_id = $2 and job_queue_id is null
  order by priority, run_at limit 1 for update skip locked
)
returning id
"""
DELETE_ONE = "delete from graphile_worker._private_jobs where id = $1"


@task(payload=None)
async def noop() -> None:
    """Nothing."""


async def main() -> int:
    # A temporary server does not wait for the disk, whose speed is not what is compared here.
    server = await asyncio.to_thread(EmbeddedPostgres.start)
    try:
        return await compare(server.url)
    finally:
        await asyncio.to_thread(server.close)


async def compare(url: str) -> int:
    options = WorkerOptions(database_url=url, tasks=[noop], concurrency=CONCURRENCY)
    async with options.init() as worker:
        utils = worker.create_utils()
        ours, theirs = [], []
        for number in range(1, ROUNDS + 1):
            await fill(url, utils, YARDSTICK_JOBS)
            theirs.append(await one_at_a_time(url))
            await fill(url, utils, JOBS)
            ours.append(await by_the_worker(worker))
            print(f"round {number}: worker {ours[-1]:,.0f} jobs/s, one at a time {theirs[-1]:,.0f}")
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(
        f"worker {statistics.median(ours):,.0f} jobs/s, one at a time "
        f"{statistics.median(theirs):,.0f} jobs/s, ratio {ratio:.1f} (target {TARGET:.0f})"
    )
    return 0 if ratio >= TARGET else 1


async def fill(url: str, utils: WorkerUtils, count: int) -> None:
    """Add the jobs, and give the planner of both the same statistics."""
    for _ in range(count // 10_000):
        await utils.add_jobs(noop, [None] * 10_000)
    connection = await asyncpg.connect(url)
    await connection.execute("vacuum analyze graphile_worker._private_jobs")
    await connection.close()


async def by_the_worker(worker: Worker) -> float:
    started = time.perf_counter()
    result = await worker.run_once()
    assert result.completed == JOBS, result
    return JOBS / (time.perf_counter() - started)


async def one_at_a_time(url: str) -> float:
    connections = [await asyncpg.connect(url) for _ in range(CONCURRENCY)]
    task_id = await connections[0].fetchval(
        "select id from graphile_worker._private_tasks where identifier = 'noop'"
    )

    async def drain(connection: asyncpg.Connection) -> int:
        done = 0
        while (job := await connection.fetchval(CLAIM_ONE, "yardstick", task_id)) is not None:
            await connection.execute(DELETE_ONE, job)
            done += 1
        return done

    started = time.perf_counter()
    counts = await asyncio.gather(*(drain(connection) for connection in connections))
    elapsed = time.perf_counter() - started
    assert sum(counts) == YARDSTICK_JOBS, sum(counts)
    for connection in connections:
        await connection.close()
    return YARDSTICK_JOBS / elapsed
