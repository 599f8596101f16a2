"""Jobs of one queue run one after the other, by whatever worker; other jobs do not wait."""

import asyncio
import os

from graphile_worker import JobSpec, WorkerContext, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")

running: dict[str, int] = {}
most: dict[str, int] = {}


@task
async def charge(payload: int, ctx: WorkerContext) -> None:
    account = ctx.queue_name or "no queue"
    running[account] = running.get(account, 0) + 1
    most[account] = max(most.get(account, 0), running[account])
    await asyncio.sleep(0.05)  # the work
    running[account] -= 1
    if ctx.queue_name is not None:
        print(f"{account}: charge {payload}")


async def main() -> None:
    options = WorkerOptions(database_url=DATABASE_URL, tasks=[charge], concurrency=6)
    async with options.init() as worker:
        utils = worker.create_utils()
        # One by one: ids, and with them the order in the queue, follow the calls.
        for number in range(3):
            await utils.add_job(charge, number, JobSpec(queue_name="account 1"))
        await utils.add_jobs(charge, range(3))
        await worker.run_once()
    print("at once in account 1:", most["account 1"])
    print("at once without a queue:", most["no queue"])


if __name__ == "__main__":
    asyncio.run(main())
