"""A handler's writes and the completion of its job, in one transaction."""

import asyncio
import os
from datetime import timedelta

from graphile_worker import WorkerContext, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


@task(payload=None)
async def prepare(ctx: WorkerContext) -> None:
    """DDL is transactional, too."""
    async with ctx.transaction() as connection:
        await connection.execute("create table charges (job_id bigint, amount integer)")


@task(backoff=lambda _attempts: timedelta(0))
async def charge(amount: int, ctx: WorkerContext) -> None:
    """However often it is tried, the account is charged once."""
    attempt = ctx.job.attempts
    async with ctx.transaction() as connection:
        await connection.execute("insert into charges values ($1, $2)", ctx.job.id, amount)
        print(f"attempt {attempt}: written")
        if attempt == 1:
            raise ConnectionError("the bank does not answer")
    # From here on the job is done, whatever happens.


@task(payload=None)
async def count(ctx: WorkerContext) -> None:
    async with ctx.transaction() as connection:
        print("charges:", await connection.fetchval("select count(*) from charges"))


async def main() -> None:
    options = WorkerOptions(database_url=DATABASE_URL, tasks=[prepare, charge, count])
    async with options.init() as worker:
        utils = worker.create_utils()
        await utils.add_job(prepare)
        await worker.run_once()
        charged = await utils.add_job(charge, 30)
        while await utils.get_job(charged.id):
            await worker.run_once()
        await utils.add_job(count)
        await worker.run_once()


if __name__ == "__main__":
    asyncio.run(main())
