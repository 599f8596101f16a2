"""The worker that is tormented: `python -m chaos.worker URL CONCURRENCY`."""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import timedelta

from graphile_worker import (
    ConnectionLostError,
    Worker,
    WorkerContext,
    WorkerOptions,
    WorkerRecoveryConfig,
    task,
)
from graphile_worker.database.statement import Statement, nothing

DID_NOT_START = 75
"""The exit code of a worker that lost its database before its first claim."""
TIMEOUT = 4.0
"""A handler that hangs on a dead link must come to an end."""
RECOVERY = WorkerRecoveryConfig(
    heartbeat_interval=0.3,
    sweep_interval=0.5,
    sweep_threshold=3,
    recovery_delay=0,
    max_refunds=1000,
)
_PLAIN = "insert into effects (n, kind, worker, attempt) values ($1, $2, $3, $4)"
_IN_QUEUE = (
    "insert into effects (n, kind, worker, attempt, queue, began_at) "
    "values ($1, 'serial', $2, $3, $4, $5)"
)


def soon(_attempts: int) -> timedelta:
    return timedelta(milliseconds=100)


@task(timeout=TIMEOUT, backoff=soon)
async def plain(n: int, ctx: WorkerContext) -> None:
    """An effect of its own: at least once."""
    text = f"insert into public.{_PLAIN[12:]}"
    args = (n, "plain", ctx.worker_id, ctx.job.attempts)
    await ctx.database.run(Statement("effect", text, args, nothing))


@task(timeout=TIMEOUT, backoff=soon)
async def exact(n: int, ctx: WorkerContext) -> None:
    """An effect in the job's transaction: exactly once."""
    async with ctx.transaction() as connection:
        await connection.execute(_PLAIN, n, "exact", ctx.worker_id, ctx.job.attempts)


@task(timeout=TIMEOUT, backoff=soon)
async def stumbles(n: int, ctx: WorkerContext) -> None:
    """Fails at its first attempt."""
    async with ctx.transaction() as connection:
        await connection.execute(_PLAIN, n, "stumbles", ctx.worker_id, ctx.job.attempts)
        if ctx.job.attempts == 1:
            raise ValueError(n)


@task(timeout=TIMEOUT, backoff=soon)
async def serial(n: int, ctx: WorkerContext) -> None:
    """One at a time in its queue."""
    async with ctx.transaction() as connection:
        began_at = await connection.fetchval("select clock_timestamp()")
        await connection.execute(
            _IN_QUEUE, n, ctx.worker_id, ctx.job.attempts, ctx.queue_name, began_at
        )


async def main(url: str, concurrency: int) -> None:
    options = WorkerOptions(
        database_url=url,
        tasks=[plain, exact, stumbles, serial],
        concurrency=concurrency,
        poll_interval=0.2,
        recovery=RECOVERY,
        shutdown_interrupted_job_retry_delay=0,
        wait_for_database=60,
    )
    at_work = asyncio.Event()

    async def watch(worker: Worker) -> None:
        while worker.health().since_last_claim is None:
            await asyncio.sleep(0.01)
        at_work.set()

    try:
        async with options.init() as worker:
            watching = asyncio.create_task(watch(worker))
            try:
                await worker.run()
            finally:
                watching.cancel()
    except ConnectionLostError as error:
        # Hit while it started, it says so and ends; afterwards nothing of the kind may end it.
        if at_work.is_set():
            raise
        print("did not start:", error, file=sys.stderr)
        sys.exit(DID_NOT_START)


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(message)s")
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
