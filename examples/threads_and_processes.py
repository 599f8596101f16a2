"""Where handlers run: on the event loop, in a thread, in another process."""

import asyncio
import os
import threading
from dataclasses import dataclass

from graphile_worker import SyncWorkerContext, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")
PARENT = os.getpid()


@dataclass
class Numbers:
    upto: int
    parent: int


@task
async def on_the_loop(payload: Numbers) -> None:
    """It must not block: while it waits, it awaits."""
    await asyncio.sleep(payload.upto / 1_000_000)
    print("async def: the main thread", threading.current_thread() is threading.main_thread())


@task
def in_a_thread(payload: Numbers, ctx: SyncWorkerContext) -> None:
    """A plain function may block. Its context has the same names, without await."""
    other = threading.current_thread() is not threading.main_thread()
    ctx.add_job(in_a_process, payload)
    print("def: another thread", other)


@task(executor="process")
def in_a_process(payload: Numbers) -> None:
    """Work that computes leaves the process. Only the payload crosses: there is no context."""
    total = sum(number * number for number in range(payload.upto))
    # Another process buffers what it prints.
    print("process: another process", os.getpid() != payload.parent, total, flush=True)


async def main() -> None:
    tasks = [on_the_loop, in_a_thread, in_a_process]
    options = WorkerOptions(database_url=DATABASE_URL, tasks=tasks, process_workers=1)
    async with options.init() as worker:
        numbers = Numbers(upto=1000, parent=PARENT)
        await worker.create_utils().add_jobs(
            [on_the_loop.job(numbers), in_a_thread.job(numbers)],
        )
        result = await worker.run_once()
    print(f"{result.completed} completed")


# The processes import this file: without this line each would start a worker, too.
if __name__ == "__main__":
    asyncio.run(main())
