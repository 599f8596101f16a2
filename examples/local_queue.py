"""Many tiny jobs: claimed ahead, so that no slot waits for the database."""

import asyncio
import os

from graphile_worker import LocalQueueConfig, WorkerOptions, task

done = asyncio.Event()
seen: set[int] = set()
JOBS = 1000


@task
async def count(payload: int) -> None:
    seen.add(payload)
    if len(seen) == JOBS:
        done.set()


options = WorkerOptions(
    database_url=os.environ.get("DATABASE_URL", "embedded:?temporary"),
    tasks=[count],
    concurrency=8,
    local_queue=LocalQueueConfig(size=200),
    complete_job_batch_delay=0.01,  # fewer commits; a crash meanwhile runs those jobs once more
)


async def main() -> None:
    async with options.init() as worker:
        await worker.create_utils().add_jobs(count, list(range(JOBS)))
        run = asyncio.create_task(worker.run())
        await done.wait()
        worker.request_shutdown()  # what still waited would go back to the table, untouched
        await run
        left = (await worker.create_utils().stats()).total
    print("jobs run:", len(seen))
    print("left in the table:", left)


if __name__ == "__main__":
    asyncio.run(main())
