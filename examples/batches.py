"""One job with many items, of which only those that failed are tried again."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from graphile_worker import JobSpec, WorkerContext, WorkerOptions, batch_task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


@dataclass
class Notification:
    user: str


def at_once(_attempts: int) -> timedelta:
    return timedelta(0)


@batch_task(backoff=at_once)
async def notify(
    items: list[Notification], ctx: WorkerContext
) -> Sequence[Exception | None] | None:
    """Answer one entry an item, None where it is done; or None when all is done."""
    print(f"attempt {ctx.job.attempts}:", [item.user for item in items])
    if ctx.job.attempts == 1:
        return [ConnectionError("busy") if item.user == "bob" else None for item in items]
    print("stored error of the attempt before:", ctx.job.last_error)
    return None


async def main() -> None:
    async with WorkerOptions(database_url=DATABASE_URL, tasks=[notify]).init() as worker:
        utils = worker.create_utils()
        # With a key, what is added while the job waits is appended to its items.
        key = JobSpec(job_key="notifications")
        await utils.add_batch_job(notify, [Notification("ada"), Notification("bob")], key)
        await utils.add_batch_job(notify, [Notification("cy")], key)
        result = await worker.run_once()
    print(f"{result.completed} completed, {result.retried} retried")


if __name__ == "__main__":
    asyncio.run(main())
