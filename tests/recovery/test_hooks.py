"""What hooks hear of recovery, and what they may say."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from support.recorder import JOBS as JOB_EVENTS
from support.recorder import Recorder
from support.running import running, sql, until

from graphile_worker import (
    FailureReason,
    HookRegistry,
    JobInterrupted,
    JobLost,
    JobRecovery,
    JobRecoveryResult,
    SweepResult,
    SyncWorkerUtils,
    WorkerContext,
    WorkerRecovered,
    WorkerRecoveryConfig,
    WorkerUtils,
    task,
)
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement, nothing
from graphile_worker.drivers.connect import connect
from graphile_worker.recovery.sweep import Sweep
from graphile_worker.recovery.sweep_events import SweepEvents
from graphile_worker.recovery.sweeping import sweep
from graphile_worker.worker.service_database import ServiceDatabase

DEAD = """
with dead as (
  insert into graphile_worker._private_workers (id, last_heartbeat_at)
  values ('dead', now() - interval '1 hour')
), job as (
  select id from graphile_worker.add_job('lost')
)
select id from job
"""
CLAIMED = """
update graphile_worker._private_jobs
set locked_by = 'dead', locked_at = now() - interval '1 hour', attempts = 1
"""


TAKEN = """
update graphile_worker._private_jobs set locked_by = 'another', locked_at = now()
"""


@task("other", payload=None)
async def other() -> None: ...


@pytest.mark.parametrize("answer", [None, JobRecoveryResult.DEFAULT, JobRecoveryResult.SKIP])
async def test_each_job_of_a_dead_worker_is_asked_about_and_told_once(
    gw_database: str, answer: JobRecoveryResult | None
) -> None:
    registry = HookRegistry()
    told: list[Any] = []
    swept = asyncio.Event()

    async with sql(gw_database) as connection:
        job_id = await connection.fetchval(DEAD)
        await connection.execute(CLAIMED)

        async def owner() -> str | None:
            return await connection.fetchval("select locked_by from graphile_worker._private_jobs")

        @registry.on(JobRecovery)
        async def ask(event: JobRecovery) -> JobRecoveryResult | None:
            told.append((event, await owner()))
            return answer

        @registry.on(JobInterrupted)
        async def interrupted(event: JobInterrupted) -> None:
            told.append((event, await owner()))

        @registry.on(WorkerRecovered)
        async def recovered(event: WorkerRecovered) -> None:
            told.append((event, await owner()))
            swept.set()

        async with running(gw_database, tasks=[other], hooks=registry, sweep_threshold=5) as worker:
            await asyncio.wait_for(swept.wait(), 15)

    (question, at_question), *ends, (summary, at_summary) = told
    assert isinstance(question, JobRecovery)
    assert (question.job.id, question.worker_id) == (job_id, worker.worker_id)
    assert (question.previous_worker_id, question.reason) == ("dead", FailureReason.WORKER_CRASHED)
    assert at_question == "dead", "asked before anything is changed"
    skipped = answer is JobRecoveryResult.SKIP
    assert summary == WorkerRecovered(
        worker_id=worker.worker_id, dead_worker_ids=["dead"], jobs_recovered=0 if skipped else 1
    )
    if skipped:
        assert (ends, at_summary) == ([], "dead")
        return
    ((end, at_end),) = ends
    assert (end.job.id, end.reason) == (job_id, FailureReason.WORKER_CRASHED)
    assert (at_end, at_summary) == (None, None), "told when it is in the table"


async def test_an_answer_that_fits_no_table_does_not_stop_the_sweep(gw_database: str) -> None:
    """It would be asked again, and fail again, in every sweep of every worker."""
    registry = HookRegistry()
    registry.on(JobRecovery, lambda _: JobRecoveryResult.reschedule(datetime.now(UTC), 40_000))
    async with sql(gw_database) as connection:
        await connection.execute(DEAD)
        await connection.execute(CLAIMED)
        result = await swept_by("async", gw_database, registry)
        row = await connection.fetchrow("select * from graphile_worker._private_jobs")
    assert result.recovered_count == 1
    assert (row["last_error"], row["attempts"]) == ("Job recovered after worker interruption", 0)


@pytest.mark.parametrize("client", ["async", "sync"])
async def test_a_sweep_by_hand_asks_and_tells_the_hooks_of_its_client(
    gw_database: str, client: str
) -> None:
    registry = HookRegistry()
    told: list[Any] = []

    @registry.on(JobRecovery)
    async def ask(event: JobRecovery) -> JobRecoveryResult:
        told.append((event.job.id, event.worker_id, event.previous_worker_id))
        return JobRecoveryResult.FAIL_WITH_BACKOFF

    @registry.on(JobInterrupted)
    async def interrupted(event: JobInterrupted) -> None:
        told.append(event.job.id)

    @registry.on(WorkerRecovered)
    def recovered(event: WorkerRecovered) -> None:
        told.append(event)

    async with sql(gw_database) as connection:
        job_id = await connection.fetchval(DEAD)
        await connection.execute(CLAIMED)
        assert await swept_by(client, gw_database, registry, dry_run=True) == SweepResult(
            worker_ids=["dead"], recovered_count=0, dry_run=True
        )
        assert told == []
        result = await swept_by(client, gw_database, registry)
        row = await connection.fetchrow("select * from graphile_worker._private_jobs")
    assert result == SweepResult(worker_ids=["dead"], recovered_count=1)
    assert (row["last_error"], row["attempts"], row["locked_by"]) == ("WorkerCrashed", 1, None)
    summary = WorkerRecovered(worker_id="worker_utils", dead_worker_ids=["dead"], jobs_recovered=1)
    assert told == [(job_id, "worker_utils", "dead"), job_id, summary]


async def test_hooks_are_asked_while_the_connection_is_free_for_others(gw_database: str) -> None:
    """Recurring jobs wait for the same one."""
    database = await connect(gw_database, max_connections=1)
    services = ServiceDatabase(database)
    registry = HookRegistry()
    others: list[str] = []

    @registry.on(JobRecovery)
    async def ask(event: JobRecovery) -> None:
        async with asyncio.timeout(5):
            await services.run(find_lost)
        others.append("served")

    find_lost = Statement("find", "select id from graphile_worker.jobs", (), nothing)
    how = Sweep(schema=Schema("graphile_worker"), config=WorkerRecoveryConfig())
    async with sql(gw_database) as connection:
        await connection.execute(DEAD)
        await connection.execute(CLAIMED)
        result = await sweep(services, how, SweepEvents.registered(registry))
    await database.aclose()
    assert others == ["served"]
    assert result.recovered_count == 1


@pytest.mark.parametrize("client", ["async", "sync"])
@pytest.mark.parametrize("meanwhile", ["it beats", "its job is claimed by another"])
async def test_what_changed_while_hooks_were_asked_is_left_alone(
    gw_database: str, client: str, meanwhile: str
) -> None:
    registry = HookRegistry()
    told: list[int] = []

    @registry.on(JobRecovery)
    async def ask(event: JobRecovery) -> None:
        async with sql(gw_database) as other:
            if meanwhile == "it beats":
                await other.execute(
                    "update graphile_worker._private_workers set last_heartbeat_at = now()"
                )
            else:
                await other.execute(TAKEN)

    registry.on(JobInterrupted, lambda event: told.append(event.job.id))
    async with sql(gw_database) as connection:
        await connection.execute(DEAD)
        await connection.execute(CLAIMED)
        result = await swept_by(client, gw_database, registry)
        row = await connection.fetchrow("select * from graphile_worker._private_jobs")
        known = await connection.fetchval("select count(*) from graphile_worker._private_workers")
    owner, is_dead = ("dead", False) if meanwhile == "it beats" else ("another", True)
    assert (row["locked_by"], row["attempts"], told) == (owner, 1, [])
    assert result == SweepResult(worker_ids=["dead"] if is_dead else [], recovered_count=0)
    assert known == (0 if is_dead else 1)


async def test_hooks_of_several_jobs_are_asked_beside_each_other(gw_database: str) -> None:
    registry = HookRegistry()
    asked: list[int] = []
    all_asked = asyncio.Event()

    @registry.on(JobRecovery)
    async def ask(event: JobRecovery) -> JobRecoveryResult:
        asked.append(event.job.id)
        if len(asked) == 3:
            all_asked.set()
        async with asyncio.timeout(5):
            await all_asked.wait()
        return JobRecoveryResult.FAIL_WITH_BACKOFF

    async with sql(gw_database) as connection:
        await connection.execute(DEAD)
        for _ in range(2):
            await connection.execute("select graphile_worker.add_job('lost')")
        await connection.execute(CLAIMED)
        result = await swept_by("async", gw_database, registry)
        errors = await connection.fetch("select last_error from graphile_worker._private_jobs")
    assert asked == sorted(asked)
    assert result.recovered_count == 3
    assert [row["last_error"] for row in errors] == ["WorkerCrashed"] * 3


async def swept_by(
    client: str, url: str, hooks: HookRegistry, *, dry_run: bool = False
) -> SweepResult:
    if client == "async":
        async with WorkerUtils.connect(url, hooks=hooks) as utils:
            return await utils.sweep_stale_workers(dry_run=dry_run)
    # On this thread, whose loop runs: also there it has to work.
    with SyncWorkerUtils.connect(url, hooks=hooks) as sync_utils:
        return sync_utils.sweep_stale_workers(dry_run=dry_run)


@pytest.mark.parametrize("taken", [False, True])
async def test_a_swept_worker_tells_of_each_job_that_it_was_cut_off_or_lost(
    gw_database: str, taken: bool
) -> None:
    """Handed back where nobody had taken it, else lost; and no JobRecovery is asked."""
    started: asyncio.Queue[str] = asyncio.Queue()
    release = asyncio.Event()
    recorder = Recorder(JOB_EVENTS)

    @task(payload=None)
    async def slow(ctx: WorkerContext) -> None:
        started.put_nowait(ctx.worker_id)
        await release.wait()

    async with (
        sql(gw_database) as connection,
        running(
            gw_database,
            tasks=[slow],
            plugins=[recorder],
            heartbeat_interval=0.02,
            poll_interval=0.02,
        ) as worker,
    ):
        job = await worker.create_utils().add_job(slow)
        old = await asyncio.wait_for(started.get(), 15)
        async with connection.transaction():
            if taken:
                await connection.execute(TAKEN)
            await connection.execute("delete from graphile_worker._private_workers")
        first_end = JobLost if taken else JobInterrupted

        async def told_of() -> bool:
            return bool(recorder.of(first_end))

        await until(told_of)
        if taken:
            await connection.execute("delete from graphile_worker._private_jobs")
        else:
            assert await asyncio.wait_for(started.get(), 15) != old
        release.set()
    run = ["JobFetch", "BeforeJobRun", "JobStart", "AfterJobRun"]
    again = [] if taken else [*run, "JobComplete"]
    assert recorder.of_job(job.id) == [*run, first_end.__name__, *again]
    [end] = recorder.of(first_end)
    assert end.worker_id == old
    if not taken:
        assert end.reason is FailureReason.WORKER_CRASHED
