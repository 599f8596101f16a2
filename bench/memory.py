"""Memory: what a worker holds after many jobs, with its connections lost now and then.

The worker runs in this process, with a local queue; jobs are added by another. Its resident memory
is read after the first fifth of the jobs and at the end; everything it has opened is counted then,
too: tasks, threads, file descriptors, connections of the server.
"""

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import psutil

from graphile_worker import (
    LocalQueueConfig,
    PermanentFailure,
    Worker,
    WorkerContext,
    WorkerOptions,
    task,
)
from graphile_worker.embedded.server import EmbeddedPostgres

JOBS = 1_000_000
ROUNDS = 50
"""So many times jobs are added, and worked off, and all connections lost."""
WARM = ROUNDS // 5
ALLOWED_BYTES = 10_000_000

FILL = """
import asyncio, asyncpg, sys
async def main():
    connection = await asyncpg.connect(sys.argv[1])
    await connection.execute(
        "select graphile_worker.add_jobs(array(select row('work', "
        "json_build_object('n', n), null, null, null, null, null, null)"
        "::graphile_worker.job_spec from generate_series(1, " + sys.argv[2] + ") n))"
    )
asyncio.run(main())
"""


@task
async def work(_payload: dict[str, int], ctx: WorkerContext) -> None:
    """Look at the job, as handlers do; every hundredth fails, and is given up."""
    if ctx.job.id % 100 == 0:
        raise PermanentFailure("every hundredth")


@dataclass(frozen=True)
class Held:
    """What the process holds at a moment when nothing runs."""

    memory: int
    tasks: int
    threads: int
    files: int
    sessions: int

    def __str__(self) -> str:
        return (
            f"{self.memory / 1e6:.1f} MB resident, {self.tasks} tasks, {self.threads} threads, "
            f"{self.files} file descriptors, {self.sessions} sessions"
        )


async def main() -> int:
    logging.getLogger("graphile_worker").setLevel(logging.CRITICAL)  # failures, lost connections
    server = await asyncio.to_thread(EmbeddedPostgres.start)
    try:
        before, after = await measure(server.url, jobs=JOBS, rounds=ROUNDS, warm=WARM)
    finally:
        await asyncio.to_thread(server.close)
    grown = after.memory - before.memory
    print(f"after {JOBS * WARM // ROUNDS:,} jobs: {before}")
    print(f"after {JOBS:,} jobs: {after}")
    print(f"grown by {grown / 1e6:+.1f} MB (allowed: {ALLOWED_BYTES / 1e6:.0f} MB)")
    return 0 if grown < ALLOWED_BYTES and not leaks(before, after) else 1


def leaks(before: Held, after: Held) -> list[str]:
    """The names of what there is more of."""
    counted = ("tasks", "threads", "files", "sessions")
    return [name for name in counted if getattr(after, name) > getattr(before, name)]


async def measure(url: str, *, jobs: int, rounds: int, warm: int) -> tuple[Held, Held]:
    """What a worker holds after `warm` of the rounds, and after all of them."""
    options = WorkerOptions(
        database_url=url,
        tasks=[work],
        concurrency=24,
        local_queue=LocalQueueConfig(size=500),
        heartbeat_interval=0.5,
        poll_interval=0.1,
        listen_os_shutdown_signals=False,
    )
    async with options.init() as worker:
        run = asyncio.create_task(worker.run())
        admin = await asyncpg.connect(url)
        try:
            before = None
            for number in range(rounds):
                await one_round(admin, url, jobs // rounds)
                if number + 1 == warm:
                    before = await held(worker, admin)
            assert before is not None
            return before, await held(worker, admin)
        finally:
            await admin.close()
            worker.request_shutdown()
            await run


async def one_round(admin: asyncpg.Connection, url: str, jobs: int) -> None:
    """Add jobs, lose all connections in the midst of them, and wait until all are done."""
    filling = await asyncio.create_subprocess_exec(sys.executable, "-c", FILL, url, str(jobs))
    assert await filling.wait() == 0
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name like 'graphile-worker%' and datname = current_database()"
    )

    await until(lambda: done(admin))
    await admin.execute("delete from graphile_worker._private_jobs")


async def done(admin: asyncpg.Connection) -> bool:
    """Whether no job is left that may run."""
    return not await admin.fetchval(
        "select count(*) from graphile_worker._private_jobs where attempts < max_attempts"
    )


async def held(worker: Worker, admin: asyncpg.Connection) -> Held:
    """What there is when the worker is at rest, all its connections are open, and garbage gone."""

    # One more job, so that the connection that stores outcomes is open, too.
    await admin.execute("select graphile_worker.add_job('work', '{\"n\": 0}')")

    async def at_rest() -> bool:
        connected = await admin.fetchval(
            "select count(distinct application_name) from pg_stat_activity "
            "where datname = current_database() and application_name = any($1)",
            [f"graphile-worker {name}" for name in ("claim", "release", "listen", "heartbeat")],
        )
        is_done = await done(admin)
        health = worker.health()  # last: what runs may begin during any question
        return bool(is_done and health.is_ready and not health.running and connected == 4)

    await until(at_rest)
    gc.collect()
    process = psutil.Process()
    return Held(
        memory=process.memory_info().rss,
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        files=process.num_fds(),
        sessions=await admin.fetchval(
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and application_name <> 'graphile-worker services'"  # there for moments
        ),
    )


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    while not await holds():
        await asyncio.sleep(0.05)
