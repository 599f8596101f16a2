"""What hooks cost: CPU time of the worker a job, with and without an observer.

Every event of a job is observed by a plain function that counts. Workers with and without it run in
turns, the first one changing from round to round; the bound holds the upper end of the 95 %
confidence interval of the mean ratio.

The job that counts makes one query, the least that a job of use does. Beside it, for information:
jobs that do nothing at all, whose CPU time is what a hook costs at worst, and a coroutine as the
observer, which costs a task for each end.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.figures import Change
from graphile_worker import (
    HookRegistry,
    JobComplete,
    JobFail,
    JobFetch,
    JobInterrupted,
    JobLost,
    JobPermanentlyFail,
    JobSnoozed,
    JobStart,
    WorkerContext,
    WorkerOptions,
    WorkerUtils,
    task,
)
from graphile_worker.embedded.server import EmbeddedPostgres

JOBS = 10_000
ROUNDS = 12
BOUND = 0.15

OBSERVED: list[Any] = [
    JobFetch,
    JobStart,
    JobComplete,
    JobFail,
    JobPermanentlyFail,
    JobInterrupted,
    JobSnoozed,
    JobLost,
]


class Countdown:
    """Ends a run with its last job."""

    def __init__(self) -> None:
        self.left = 0
        self.end: Callable[[], None] = lambda: None

    def one(self) -> None:
        self.left -= 1
        if not self.left:
            self.end()


countdown = Countdown()


@dataclass
class Mail:
    to: str
    subject: str


@task
async def send(_payload: Mail, _ctx: WorkerContext) -> None:
    countdown.one()


@task
async def query(payload: Mail, ctx: WorkerContext) -> None:
    async with ctx.database.connection() as connection:
        await connection.raw.fetchval("select $1", payload.to)
    countdown.one()


@task(payload=None)
async def bare() -> None:
    countdown.one()


class Count:
    """What the least of plugins does."""

    def __init__(self) -> None:
        self.seen = 0

    def plain(self, _event: Any) -> None:
        self.seen += 1

    async def coroutine(self, event: Any) -> None:
        self.plain(event)


def observed(handler: Any) -> HookRegistry:
    hooks = HookRegistry()
    for event in OBSERVED:
        hooks.on(event, handler)
    return hooks


async def main() -> int:
    server = await asyncio.to_thread(EmbeddedPostgres.start)
    try:
        ratio = await compare(server.url, query, "plain", 8)
        await compare(server.url, send, "plain", 24)
        await compare(server.url, bare, "plain", 8)
        await compare(server.url, send, "coroutine", 8)
    finally:
        await asyncio.to_thread(server.close)
    print(f"upper bound {ratio:+.1%} (allowed: {BOUND:+.0%})")
    return 0 if ratio <= BOUND else 1


async def compare(url: str, job_task: Any, kind: str, concurrency: int) -> float:
    without: list[float] = []
    with_: list[float] = []
    await cpu(url, job_task, None, concurrency)  # warm: the schema, plans, imports
    for number in range(ROUNDS):
        for observes in (False, True) if number % 2 else (True, False):
            count = Count()
            hooks = observed(getattr(count, kind)) if observes else None
            (with_ if observes else without).append(await cpu(url, job_task, hooks, concurrency))
            assert count.seen == (3 * JOBS if observes else 0), count.seen
    change = Change.of(without, with_)
    print(
        f"{job_task.identifier}, {kind}, concurrency {concurrency}: "
        f"{statistics.median(without):.2f} µs a job without, "
        f"{statistics.median(with_):.2f} µs with; {change}"
    )
    return change.high


async def cpu(url: str, job_task: Any, hooks: HookRegistry | None, concurrency: int) -> float:
    """Microseconds of this process a job, from the first claim to the last release."""
    options = WorkerOptions(
        database_url=url,
        tasks=[job_task],
        concurrency=concurrency,
        hooks=hooks,
        listen_os_shutdown_signals=False,
    )
    async with options.init() as worker:
        utils = worker.create_utils()
        await fill(utils, job_task)
        countdown.left, countdown.end = JOBS, worker.request_shutdown
        started = time.process_time()
        await worker.run()
        used = time.process_time() - started
        assert (await utils.stats()).total == 0
    return used / JOBS * 1e6


async def fill(utils: WorkerUtils, job_task: Any) -> None:
    payload = Mail("ada@example.com", "Hello") if job_task is not bare else None
    await utils.add_jobs(job_task, [payload] * JOBS)
