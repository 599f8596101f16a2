"""The events of a local queue, as its hooks hear them."""

from __future__ import annotations

import asyncio

from support.running import running, sql, until

from graphile_worker import (
    HookRegistry,
    LocalQueueConfig,
    LocalQueueGetJobsComplete,
    LocalQueueInit,
    LocalQueueMode,
    LocalQueueReturnJobs,
    LocalQueueSetMode,
    WorkerContext,
    task,
)


async def test_hooks_hear_of_claims_modes_and_jobs_given_back(gw_database: str) -> None:
    hooks = HookRegistry()
    told: list[object] = []
    slow = asyncio.Event()

    for event in (LocalQueueInit, LocalQueueGetJobsComplete, LocalQueueSetMode):
        hooks.on(event, told.append)

    @hooks.on(LocalQueueReturnJobs)
    async def returned(event: LocalQueueReturnJobs) -> None:
        told.append(event)
        slow.set()

    started = asyncio.Event()

    @task(payload=None)
    async def wait(ctx: WorkerContext) -> None:
        started.set()
        await ctx.shutting_down.wait()

    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('wait') from generate_series(1, 11)"
        )
        async with running(
            gw_database,
            tasks=[wait],
            hooks=hooks,
            concurrency=1,
            local_queue=LocalQueueConfig(size=10),
        ) as worker:
            await asyncio.wait_for(started.wait(), 15)

            async def claimed() -> bool:
                held = "select count(*) from graphile_worker._private_jobs where locked_by = $1"
                return await connection.fetchval(held, worker.worker_id) == 11

            await until(claimed)
        assert slow.is_set()
        left = await connection.fetchval("select count(*) from graphile_worker._private_jobs")
    by = worker.worker_id
    assert left == 10
    assert told.count(LocalQueueInit(worker_id=by)) == 1
    counts = [event.jobs_count for event in told if isinstance(event, LocalQueueGetJobsComplete)]
    assert sum(counts) == 11
    modes = [event for event in told if isinstance(event, LocalQueueSetMode)]
    assert modes[0].old_mode is LocalQueueMode.STARTING
    assert modes[-1].new_mode is LocalQueueMode.RELEASED
    returns = [event for event in told if isinstance(event, LocalQueueReturnJobs)]
    assert sum(event.jobs_count for event in returns) == 10
