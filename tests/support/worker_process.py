"""A worker in a process of its own, which a test may stop and kill."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PROGRAM = """
import asyncio, sys
from graphile_worker import LocalQueueConfig, WorkerContext, WorkerOptions, task

@task(payload=None)
async def slow(ctx: WorkerContext):
    print("started", ctx.job.id, ctx.job.attempts, ctx.worker_id, flush=True)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("cut off", ctx.job.id, flush=True)
        raise

@task(payload=None)
async def brief(ctx: WorkerContext):
    print("started", ctx.job.id, ctx.job.attempts, ctx.worker_id, flush=True)
    await asyncio.sleep(1.0)
    print("done", ctx.job.id, flush=True)

@task(payload=None)
async def patient(ctx: WorkerContext):
    print("started", ctx.job.id, ctx.job.attempts, ctx.worker_id, flush=True)
    await ctx.shutting_down.wait()
    print("done", ctx.job.id, flush=True)

async def main():
    ahead = int(sys.argv[4])
    options = WorkerOptions(
        database_url=sys.argv[1], tasks=[slow, brief, patient], concurrency=int(sys.argv[2]),
        poll_interval=0.05, heartbeat_interval=0.1, sweep_interval=0.2, sweep_threshold=2,
        recovery_delay=0, shutdown_grace_period=float(sys.argv[3]),
        local_queue=LocalQueueConfig(size=ahead) if ahead else None,
    )
    async with options.init() as worker:
        await worker.run()

asyncio.run(main())
print("ended", flush=True)
"""


class WorkerProcess:
    """What it says, line by line, and the signals it is sent."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> list[str]:
        assert self.process.stdout is not None
        said = await asyncio.wait_for(self.process.stdout.readline(), 20)
        return said.decode().split()

    async def says(self, *words: str) -> list[str]:
        """The next line that begins so."""
        while (said := await self.line())[: len(words)] != list(words):
            assert said, f"it ended without saying {words}"
        return said

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def worker_process(
    url: str, *, concurrency: int = 4, grace: float = 5, ahead: int = 0
) -> AsyncIterator[WorkerProcess]:
    """One that claims so many jobs `ahead` of its slots."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        url,
        str(concurrency),
        str(grace),
        str(ahead),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield WorkerProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
