"""`shutdown_signal`: what the host hands in stays the host's."""

from __future__ import annotations

import asyncio

import pytest
from support.recorder import Recorder
from support.running import sql, until

from graphile_worker import (
    ShutdownReason,
    Worker,
    WorkerContext,
    WorkerOptions,
    WorkerShutdown,
    task,
)


@task(payload=None)
async def work() -> None: ...


def options(url: str, trigger: object, **more: object) -> WorkerOptions:
    return WorkerOptions(
        **{
            "database_url": url,
            "tasks": [work],
            "shutdown_signal": trigger,
            "listen_os_shutdown_signals": False,
            **more,
        }
    )


async def started(worker: Worker) -> asyncio.Task[None]:
    run = asyncio.create_task(worker.run())

    async def is_ready() -> bool:
        return worker.health().is_ready

    await until(is_ready)
    return run


async def test_a_future_of_the_host_survives_a_worker_that_ended_by_itself(
    gw_database: str,
) -> None:
    stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    shared = options(gw_database, stop)
    async with shared.init() as first, shared.init() as second:
        runs = [await started(first), await started(second)]
        first.request_shutdown()
        await asyncio.wait_for(runs[0], 10)
        assert not stop.done()
        stop.set_result(None)
        await asyncio.wait_for(runs[1], 10)


async def test_a_task_of_the_host_goes_on_after_the_worker(gw_database: str) -> None:
    over = asyncio.Event()
    server = asyncio.create_task(over.wait())
    async with options(gw_database, server).init() as worker:
        run = await started(worker)
        worker.request_shutdown()
        await asyncio.wait_for(run, 10)
    over.set()
    assert await server


async def test_a_task_of_the_host_that_is_cancelled_has_ended(gw_database: str) -> None:
    server = asyncio.create_task(asyncio.Event().wait())
    async with options(gw_database, server).init() as worker:
        run = await started(worker)
        server.cancel()
        await asyncio.wait_for(run, 10)


async def test_one_that_fails_ends_the_worker_in_order_and_then_run(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    begun, recorder = asyncio.Event(), Recorder([WorkerShutdown])

    @task(payload=None)
    async def patient(ctx: WorkerContext) -> None:
        begun.set()
        await ctx.shutting_down.wait()

    async def serve() -> None:
        await begun.wait()
        raise RuntimeError("the port is taken")

    made = options(gw_database, serve(), tasks=[patient], plugins=[recorder])
    async with made.init() as worker:
        await worker.create_utils().add_job(patient)
        with pytest.raises(RuntimeError, match="the port is taken"):
            await asyncio.wait_for(worker.run(), 10)
    async with sql(gw_database) as connection:
        assert await connection.fetchval("select count(*) from graphile_worker._private_jobs") == 0
    [shutdown] = recorder.of(WorkerShutdown)
    assert shutdown.reason is ShutdownReason.ERROR
    assert "stopping: shutdown_signal failed: RuntimeError('the port is taken')" in caplog.text
