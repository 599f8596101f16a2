"""One task, one job, one worker."""

import asyncio
import os
from dataclasses import dataclass

from graphile_worker import WorkerContext, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


@dataclass
class SendEmail:
    to: str
    subject: str = "Hello"


@task
async def send_email(payload: SendEmail, ctx: WorkerContext) -> None:
    print(f"attempt {ctx.job.attempts}: to {payload.to}: {payload.subject}")


async def main() -> None:
    options = WorkerOptions(database_url=DATABASE_URL, tasks=[send_email])
    async with options.init() as worker:  # connects, creates the schema, registers the task
        await worker.create_utils().add_job(send_email, SendEmail("ada@example.com"))
        result = await worker.run_once()  # a service would call run(), which goes on for ever
    print(f"{result.completed} completed")


if __name__ == "__main__":
    asyncio.run(main())
