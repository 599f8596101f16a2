"""A handler that raises is tried again, by default after 2.7 s, 7.4 s, 20 s, … up to 6 h."""

import asyncio
import os
from datetime import timedelta

from graphile_worker import JobSpec, WorkerContext, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


def soon(attempts: int) -> timedelta:
    """The delay after the n-th attempt."""
    return timedelta(milliseconds=10 * attempts)


ANSWERS_AT_ATTEMPT = 3


@task(backoff=soon)
async def fetch(payload: str, ctx: WorkerContext) -> None:
    attempt = ctx.job.attempts
    print(f"{payload}: attempt {attempt}, error before: {ctx.job.last_error}")
    if payload == "down" or attempt < ANSWERS_AT_ATTEMPT:
        raise ConnectionError(f"{payload} does not answer")


async def main() -> None:
    options = WorkerOptions(database_url=DATABASE_URL, tasks=[fetch], concurrency=1)
    async with options.init() as worker:
        utils = worker.create_utils()
        slow = await utils.add_job(fetch, "slow")
        await utils.add_job(fetch, "down", JobSpec(max_attempts=2))
        while await utils.get_job(slow.id):  # a job that is done is gone
            await worker.run_once()  # leaves what is not due yet
        # What has failed for good stays in the table until somebody looks.
        for left in await utils.list_jobs("failed", identifier=fetch.identifier):
            print(f"{left.state.value} after {left.attempts} attempts: {left.last_error}")


if __name__ == "__main__":
    asyncio.run(main())
