"""Jobs that complete in the transaction of their handler: told as any other, once."""

from __future__ import annotations

from typing import Any

import pytest
from support.recorder import JOBS, Recorder
from support.running import running, sql, until

from graphile_worker import (
    AfterJobRun,
    HookRegistry,
    HookResult,
    Job,
    JobComplete,
    Snooze,
    SyncWorkerContext,
    WorkerContext,
    WorkerOptions,
    task,
)

WELL = ["BeforeJobRun", "JobStart", "AfterJobRun", "JobComplete"]


@task
async def on_the_loop(payload: str, ctx: WorkerContext) -> None:
    async with ctx.transaction():
        if payload == "inside":
            raise ValueError(payload)
        if payload == "snooze":
            raise Snooze(3600)
    if payload == "after":
        raise ValueError(payload)


@task
def in_a_thread(payload: str, ctx: SyncWorkerContext) -> None:
    with ctx.transaction():
        if payload == "inside":
            raise ValueError(payload)
        if payload == "snooze":
            raise Snooze(3600)
    if payload == "after":
        raise ValueError(payload)


async def run_once(
    url: str, job_task: Any, payload: str, hooks: HookRegistry
) -> tuple[list[str], Job, Recorder]:
    recorder = Recorder(JOBS)
    options = WorkerOptions(database_url=url, tasks=[job_task], hooks=hooks, plugins=[recorder])
    async with options.init() as worker:
        job = await worker.create_utils().add_job(job_task, payload)
        await worker.run_once()
    return recorder.of_job(job.id), job, recorder


@pytest.mark.parametrize("job_task", [on_the_loop, in_a_thread])
@pytest.mark.parametrize(
    ("payload", "end"),
    [
        ("well", "JobComplete"),
        ("after", "JobComplete"),  # done; what it raised is only logged
        ("inside", "JobFail"),
        ("snooze", "JobSnoozed"),
    ],
)
async def test_it_ends_once_and_as_it_was_stored(
    gw_database: str, job_task: Any, payload: str, end: str
) -> None:
    rows: list[int] = []

    async def look(_event: JobComplete) -> None:
        async with sql(gw_database) as connection:
            count = await connection.fetchval("select count(*) from graphile_worker._private_jobs")
            rows.append(count)

    hooks = HookRegistry()
    hooks.on(JobComplete, look)
    events, job, recorder = await run_once(gw_database, job_task, payload, hooks)
    assert events == [*WELL[:-1], end]
    assert rows == ([0] if end == "JobComplete" else []), "told after the commit"
    assert recorder.events[-1].job is recorder.events[0].job
    assert recorder.events[-1].job.id == job.id


async def test_what_has_committed_no_hook_can_undo(gw_database: str) -> None:
    hooks = HookRegistry()
    asked: list[AfterJobRun] = []

    @hooks.on(AfterJobRun)
    def refuse(event: AfterJobRun) -> HookResult:
        asked.append(event)
        return HookResult.fail("too late")

    events, _, _ = await run_once(gw_database, on_the_loop, "well", hooks)
    assert events == ["BeforeJobRun", "JobStart", "JobComplete"]
    assert [event.result for event in asked] == [None]


async def test_a_lost_job_whose_commit_was_refused_is_told_as_lost(gw_database: str) -> None:
    @task
    async def robbed(_payload: str, ctx: WorkerContext) -> None:
        async with sql(gw_database) as connection:
            await connection.execute(
                "update graphile_worker._private_jobs set locked_by = 'another'"
            )
        async with ctx.transaction():
            pass

    events, _, _ = await run_once(gw_database, robbed, "", HookRegistry())
    assert events == [*WELL[:-1], "JobLost"]


async def test_each_of_many_is_told_once(gw_database: str) -> None:
    recorder = Recorder([JobComplete])
    options: dict[str, Any] = {"tasks": [on_the_loop, in_a_thread], "plugins": [recorder]}
    async with running(gw_database, concurrency=8, **options) as worker:
        utils = worker.create_utils()
        jobs = await utils.add_jobs(
            [kind.job("well") for kind in (on_the_loop, in_a_thread) for _ in range(40)]
        )

        async def all_told() -> bool:
            return len(recorder.events) >= len(jobs)

        await until(all_told)
    assert sorted(event.job.id for event in recorder.events) == [job.id for job in jobs]
