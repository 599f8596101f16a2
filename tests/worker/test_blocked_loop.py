"""A handler that blocks the event loop for much longer than others wait for a heartbeat."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

import pytest
from support.running import running, sql

from graphile_worker import WorkerContext, WorkerRecovered, task
from graphile_worker.hooks.registry import HookRegistry

BLOCKED = 60
"""Seconds."""

PROGRAM = """
import asyncio, sys, time
from graphile_worker import WorkerContext, WorkerOptions, task

@task(payload=None)
async def block(ctx: WorkerContext):
    print("started", ctx.worker_id, flush=True)
    time.sleep(float(sys.argv[2]))
    print("ended", ctx.worker_id, ctx.job.attempts, flush=True)

async def main():
    options = WorkerOptions(database_url=sys.argv[1], tasks=[block], concurrency=2,
                            heartbeat_interval=0.5, sweep_interval=1, sweep_threshold=3)
    async with options.init() as worker:
        await worker.run()

asyncio.run(main())
"""


@task("other", payload=None)
async def other(_ctx: WorkerContext) -> None: ...


@pytest.mark.full
@pytest.mark.timeout(BLOCKED + 60)
async def test_a_worker_whose_loop_is_blocked_for_a_minute_is_not_swept(gw_database: str) -> None:
    """Its heart has a thread; another worker sweeps all the while, with a threshold of 3 s."""
    swept: list[WorkerRecovered] = []
    hooks = HookRegistry()
    hooks.on(WorkerRecovered, swept.append)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        gw_database,
        str(BLOCKED),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with (
            sql(gw_database) as connection,
            running(
                gw_database,
                tasks=[other],
                hooks=hooks,
                heartbeat_interval=0.5,
                sweep_interval=0.2,
                sweep_threshold=3,
            ),
        ):
            await connection.execute("select graphile_worker.add_job('block')")
            said, worker_id = (await asyncio.wait_for(process.stdout.readline(), 20)).split()
            began = time.monotonic()
            assert said == b"started"
            ended = (await asyncio.wait_for(process.stdout.readline(), BLOCKED + 20)).split()
            assert time.monotonic() - began >= BLOCKED - 1
            assert ended == [b"ended", worker_id, b"1"], "once, and as the same worker"
            process.send_signal(signal.SIGTERM)
            _, errors = await asyncio.wait_for(process.communicate(), 20)
            assert not await connection.fetchval(
                "select count(*) from graphile_worker._private_jobs"
            )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert swept == []
    warning = errors.decode()
    assert "is blocked for" in warning
    assert "(block)" in warning, "it names the task"
    assert "was silent for too long" not in warning
