"""Handlers that take too long, are too early, or will never succeed."""

import asyncio
import os
from datetime import timedelta

from graphile_worker import PermanentFailure, Snooze, WorkerContext, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


@task(timeout=timedelta(seconds=0.1))
async def hang() -> None:
    """Cancelled after its timeout; that is an ordinary failure, and will be tried again."""
    await asyncio.sleep(60)


@task
async def poll(ctx: WorkerContext) -> None:
    """Not ready: come back in ten minutes. The attempt does not count."""
    print("attempt", ctx.job.attempts)
    raise Snooze(timedelta(minutes=10))


@task
async def import_file(payload: str) -> None:
    """Nothing a retry could mend."""
    raise PermanentFailure(f"{payload} is not a CSV file")


async def main() -> None:
    tasks = [hang, poll, import_file]
    async with WorkerOptions(database_url=DATABASE_URL, tasks=tasks).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(hang)
        await utils.add_job(poll)
        await utils.add_job(import_file, "cat.png")
        await worker.run_once()
        for job in await utils.list_jobs():
            name = job.task_identifier
            print(f"{name}: {job.state.value}, attempts {job.attempts}, error: {job.last_error}")


if __name__ == "__main__":
    asyncio.run(main())
