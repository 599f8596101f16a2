"""A key names a job: adding it again changes the one that waits, instead of adding another."""

import asyncio
import os
from datetime import timedelta

from graphile_worker import JobKeyMode, JobSpec, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


@task
async def save(payload: str) -> None:
    print("saved:", payload)


async def main() -> None:
    async with WorkerOptions(database_url=DATABASE_URL, tasks=[save]).init() as worker:
        utils = worker.create_utils()

        # REPLACE, the default, debounces: each call moves run_at, the last payload wins.
        later = JobSpec(job_key="draft", run_at=timedelta(minutes=5))
        first = await utils.add_job(save, "one letter", later)
        second = await utils.add_job(save, "two letters", later)
        print("the same job:", first.id == second.id, "| moved:", second.run_at > first.run_at)

        # PRESERVE_RUN_AT throttles: the payload is new, the time stays.
        third = await utils.add_job(
            save,
            "three letters",
            JobSpec(job_key="draft", job_key_mode=JobKeyMode.PRESERVE_RUN_AT),
        )
        print("payload:", third.payload, "| moved:", third.run_at != second.run_at)

        # UNSAFE_DEDUPE leaves the job alone, even while it runs or after it failed for good.
        fourth = await utils.add_job(
            save,
            "four letters",
            JobSpec(job_key="draft", job_key_mode=JobKeyMode.UNSAFE_DEDUPE),
        )
        print("payload:", fourth.payload, "| revision:", fourth.revision)

        await utils.add_job(save, "the whole text", JobSpec(job_key="draft"))
        await worker.run_once()

        await utils.add_job(save, "not needed", JobSpec(job_key="other"))
        removed = await utils.remove_job("other")
        print("removed:", removed is not None and removed.payload)
        print("removed again:", await utils.remove_job("other"))


if __name__ == "__main__":
    asyncio.run(main())
