"""Slots: jobs in tasks of their own, however tasks are made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from support.eager_tasks import eager_task_factory

from graphile_worker import WorkerOptions, task
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.worker.slots import Slots


def lazy_task_factory(loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> asyncio.Task:
    return asyncio.Task(coro, loop=loop, **more)


FACTORIES = pytest.mark.parametrize(
    "factory", [None, lazy_task_factory, eager_task_factory], ids=["none", "lazy", "eager"]
)


@FACTORIES
async def test_a_job_that_never_suspends_gives_its_slot_back(
    gw_database: str, factory: Callable[..., Any]
) -> None:
    ran = []

    @task(payload=None)
    async def quick() -> None:
        ran.append(asyncio.current_task())

    asyncio.get_running_loop().set_task_factory(factory)
    async with WorkerOptions(
        database_url=gw_database, tasks=[quick], concurrency=2
    ).init() as worker:
        utils = worker.create_utils()
        for _ in range(7):
            await utils.add_job(quick, None)
        async with asyncio.timeout(20):
            result = await worker.run_once()
    assert result.completed == 7
    assert len(set(ran)) == 7


@FACTORIES
async def test_a_job_that_is_cancelled_before_it_begins_never_runs(
    factory: Callable[..., Any],
) -> None:
    asyncio.get_running_loop().set_task_factory(factory)
    job, never_run = some_job(), []

    async def run(job: ClaimedJob) -> None:
        raise AssertionError

    slots = Slots(1, run, on_free=lambda: None, on_never_run=never_run.append)
    slots.start(job)
    assert (slots.free, slots.running) == (0, [job])
    slots.cancel_all()
    await slots.wait_idle()
    assert (slots.free, slots.running, never_run) == (1, [], [job])


def some_job() -> ClaimedJob:
    return ClaimedJob(
        1, 1, None, "null", 1, 25, 0.0, None, None, 0, 0.0, None, 0, None, 0.0, 0.0, False
    )
