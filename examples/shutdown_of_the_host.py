"""A worker inside a program that handles its signals itself."""

import asyncio
import os
import signal

from graphile_worker import WorkerContext, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")

started = asyncio.Event()


@task
async def long_work(ctx: WorkerContext) -> None:
    """Ends early when the worker is about to stop."""
    started.set()
    await ctx.shutting_down.wait()
    print("the handler tidies up")


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    options = WorkerOptions(
        database_url=DATABASE_URL,
        tasks=[long_work],
        listen_os_shutdown_signals=False,  # they are ours
        shutdown_signal=stop,  # this is how the worker hears of them
        shutdown_grace_period=10,
    )
    async with options.init() as worker, asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        await worker.create_utils().add_job(long_work)
        await started.wait()
        print("SIGTERM")
        os.kill(os.getpid(), signal.SIGTERM)  # as a supervisor would
    print("stopped")


if __name__ == "__main__":
    asyncio.run(main())
