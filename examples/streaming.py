"""More jobs than should be held in memory, out of a generator."""

import asyncio
import os
from collections.abc import AsyncGenerator

from graphile_worker import JobSpec, NewJob, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


@task(spec=JobSpec(priority=10))
async def index_page(payload: int) -> None: ...


async def pages(count: int) -> AsyncGenerator[NewJob]:
    """Commonly rows of a query, or lines of a file. The keys make it safe to start over."""
    for number in range(count):
        yield index_page.job(number, JobSpec(job_key=f"page:{number}"))


async def main() -> None:
    async with WorkerOptions(database_url=DATABASE_URL, tasks=[index_page]).init() as worker:
        utils = worker.create_utils()
        print("added:", await utils.add_jobs_stream(pages(12_000), chunk_size=5000))
        print("again:", await utils.add_jobs_stream(pages(12_000), chunk_size=5000))
        print("waiting:", (await utils.stats()).ready)


if __name__ == "__main__":
    asyncio.run(main())
