"""Jobs that a shutdown cuts off: what is told, and what hooks make of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from support.recorder import JOBS, Recorder
from support.running import sql, until

from graphile_worker import (
    AfterJobRun,
    BeforeJobRun,
    FailureReason,
    HookRegistry,
    HookResult,
    JobInterrupted,
    JobRecovery,
    JobRecoveryResult,
    JobSpec,
    PermanentFailure,
    WorkerContext,
    WorkerOptions,
    task,
)


async def cut_off(
    url: str, event: Any = None, handler: Any = None, **stop: Any
) -> tuple[asyncpg.Record | None, Recorder]:
    """A job that never ends, its worker shut down without patience."""
    started = asyncio.Event()

    @task(payload=None)
    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    return await _shut_down(url, endless, started, event, handler, **stop)


async def _shut_down(
    url: str, job_task: Any, started: asyncio.Event, event: Any, handler: Any, **more: Any
) -> tuple[asyncpg.Record | None, Recorder]:
    hooks, recorder = HookRegistry(), Recorder(JOBS)
    recorder.register(hooks)
    if event is not None:
        hooks.on(event, handler)
    options = WorkerOptions(
        database_url=url,
        tasks=[job_task],
        hooks=hooks,
        shutdown_grace_period=0,
        listen_os_shutdown_signals=False,
        **more,
    )
    async with options.init() as worker:
        await worker.create_utils().add_job(job_task, None, JobSpec(queue_name="q"))
        run = asyncio.create_task(worker.run())
        await asyncio.wait_for(started.wait(), 15)
        worker.request_shutdown()
        await asyncio.wait_for(run, 15)
    async with sql(url) as connection:
        row = await connection.fetchrow("select * from graphile_worker._private_jobs")
    return row, recorder


def told(recorder: Recorder) -> list[str]:
    return recorder.names


CUT_OFF = ["JobFetch", "BeforeJobRun", "JobStart", "AfterJobRun", "JobRecovery", "JobInterrupted"]


async def test_an_interrupted_job_is_told_as_such_and_as_nothing_else(gw_database: str) -> None:
    row, recorder = await cut_off(gw_database)
    assert told(recorder) == CUT_OFF
    [recovery] = recorder.of(JobRecovery)
    assert recovery.previous_worker_id == recovery.worker_id == recovery.job.locked_by
    [interrupted] = recorder.of(JobInterrupted)
    assert interrupted.reason is recovery.reason is FailureReason.SHUTDOWN_ABORTED
    assert isinstance(recorder.of(AfterJobRun)[0].result, asyncio.CancelledError)
    assert row is not None
    assert (row["attempts"], row["locked_by"]) == (0, None)
    assert row["last_error"] == "Job recovered after worker interruption"


async def test_interrupted_is_told_when_the_job_is_handed_back(gw_database: str) -> None:
    rows: list[object] = []

    async def look(event: JobInterrupted) -> None:
        async with sql(gw_database) as connection:
            rows.append(
                await connection.fetchval("select locked_by from graphile_worker._private_jobs")
            )

    await cut_off(gw_database, JobInterrupted, look)
    assert rows == [None]


@pytest.mark.parametrize(("attempts", "counted"), [(None, 0), (7, 7)])
async def test_a_hook_may_reschedule_it(
    gw_database: str, attempts: int | None, counted: int
) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    row, recorder = await cut_off(
        gw_database, JobRecovery, lambda _: JobRecoveryResult.reschedule(later, attempts)
    )
    assert told(recorder) == CUT_OFF
    assert row is not None
    assert abs(row["run_at"] - later) < timedelta(seconds=10)
    assert (row["attempts"], row["locked_by"]) == (counted, None)


async def test_a_hook_may_have_it_failed(gw_database: str) -> None:
    row, recorder = await cut_off(
        gw_database, JobRecovery, lambda _: JobRecoveryResult.FAIL_WITH_BACKOFF
    )
    assert told(recorder) == CUT_OFF
    assert row is not None
    assert (row["attempts"], row["locked_by"]) == (1, None)
    assert row["last_error"] == "ShutdownAborted"
    assert row["run_at"] > datetime.now(UTC)


async def test_a_hook_may_leave_it_locked(gw_database: str) -> None:
    row, recorder = await cut_off(gw_database, JobRecovery, lambda _: JobRecoveryResult.SKIP)
    assert told(recorder) == CUT_OFF[:-1]
    assert row is not None
    assert row["locked_by"] == recorder.of(JobRecovery)[0].worker_id


async def test_it_is_left_locked_also_where_lost_claims_are_looked_for(gw_database: str) -> None:
    """A claim that was lost a moment before the end."""
    lost = asyncio.Event()

    @task(payload=None)
    async def endless() -> None:
        async with sql(gw_database) as connection:
            claims = "from pg_stat_activity where application_name = 'graphile-worker claim'"
            session = await connection.fetchval(
                f"select pid {claims} and datname = current_database()"
            )
            await connection.execute("select pg_terminate_backend($1)", session)

            async def is_another() -> bool:
                await connection.execute('notify "jobs:insert", \'{"r":1,"count":1}\'')
                return bool(
                    await connection.fetchval(
                        f"select true {claims} and datname = current_database() and pid <> $1",
                        session,
                    )
                )

            await until(is_another)
        lost.set()
        await asyncio.Event().wait()

    row, recorder = await _shut_down(
        gw_database, endless, lost, JobRecovery, lambda _: JobRecoveryResult.SKIP, concurrency=2
    )
    assert row is not None
    assert row["locked_by"] == recorder.of(JobRecovery)[0].worker_id


async def test_a_recovery_hook_that_raises_or_hangs_changes_nothing(gw_database: str) -> None:
    def broken(event: JobRecovery) -> None:
        raise ValueError("broken")

    row, recorder = await cut_off(gw_database, JobRecovery, broken)
    assert told(recorder) == CUT_OFF
    assert row is not None
    assert row["attempts"] == 0


async def test_a_recovery_hook_that_hangs_does_not_hold_up_the_shutdown(
    gw_database: str,
) -> None:
    async def hang(event: JobRecovery) -> None:
        await asyncio.Event().wait()

    row, recorder = await cut_off(gw_database, JobRecovery, hang, hook_timeout=60)
    assert told(recorder)[-1] == "JobInterrupted"
    assert row is not None
    assert (row["attempts"], row["locked_by"]) == (0, None)


async def test_after_job_run_may_still_call_it_done(gw_database: str) -> None:
    row, recorder = await cut_off(gw_database, AfterJobRun, lambda _: HookResult.skip())
    assert row is None
    assert told(recorder) == [*CUT_OFF[:4], "JobComplete"]


async def test_a_shutdown_in_the_middle_of_a_hook_hands_the_job_back(gw_database: str) -> None:
    asked = asyncio.Event()

    async def hang(event: BeforeJobRun) -> None:
        asked.set()
        await asyncio.Event().wait()

    @task(payload=None)
    async def never() -> None:
        raise AssertionError

    row, recorder = await _shut_down(gw_database, never, asked, BeforeJobRun, hang)
    assert told(recorder) == ["JobFetch", "BeforeJobRun", "JobRecovery", "JobInterrupted"]
    assert row is not None
    assert (row["attempts"], row["locked_by"]) == (0, None)


async def shut_down_after(url: str, job_task: Any) -> tuple[asyncpg.Record | None, Recorder]:
    """A job whose handler has ended, its worker shut down while a hook is asked about that."""
    asked = asyncio.Event()

    async def hang(event: AfterJobRun) -> None:
        asked.set()
        await asyncio.Event().wait()

    return await _shut_down(url, job_task, asked, AfterJobRun, hang)


async def test_a_job_that_ran_well_is_done_although_a_hook_was_still_asked(
    gw_database: str,
) -> None:
    @task(payload=None)
    async def quick() -> None: ...

    row, recorder = await shut_down_after(gw_database, quick)
    assert row is None
    assert told(recorder) == [*CUT_OFF[:4], "JobComplete"]


async def test_a_job_that_failed_for_good_stays_so_although_a_hook_was_still_asked(
    gw_database: str,
) -> None:
    @task(payload=None)
    async def hopeless() -> None:
        raise PermanentFailure("no such customer")

    row, recorder = await shut_down_after(gw_database, hopeless)
    assert told(recorder) == [*CUT_OFF[:4], "JobPermanentlyFail"]
    assert row is not None
    assert (row["attempts"], row["last_error"]) == (row["max_attempts"], "no such customer")


async def test_what_a_handler_committed_is_told_as_done_although_a_hook_was_still_asked(
    gw_database: str,
) -> None:
    @task(payload=None)
    async def committed(ctx: WorkerContext) -> None:
        async with ctx.transaction():
            pass

    row, recorder = await shut_down_after(gw_database, committed)
    assert row is None
    assert told(recorder) == [*CUT_OFF[:4], "JobComplete"]


async def test_a_handler_that_ignores_cancellation_is_asked_about_too(gw_database: str) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def stubborn() -> None:
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    row, recorder = await _shut_down(
        gw_database,
        stubborn,
        started,
        JobRecovery,
        lambda _: JobRecoveryResult.FAIL_WITH_BACKOFF,
    )
    release.set()
    assert row is not None
    assert (row["attempts"], row["last_error"]) == (1, "ShutdownAborted")
    assert told(recorder).count("JobInterrupted") == 1


async def test_a_superseded_job_is_not_rescheduled(gw_database: str) -> None:
    """Its key was taken by a newer job while it ran: it must not run once more."""
    started = asyncio.Event()

    @task(payload=None)
    async def keyed() -> None:
        started.set()
        await asyncio.Event().wait()

    hooks = HookRegistry()

    @hooks.on(JobRecovery)
    def again(event: JobRecovery) -> JobRecoveryResult:
        return JobRecoveryResult.reschedule(datetime.now(UTC), 0)

    options = WorkerOptions(
        database_url=gw_database,
        tasks=[keyed],
        hooks=hooks,
        shutdown_grace_period=0,
        listen_os_shutdown_signals=False,
    )
    async with options.init() as worker:
        utils = worker.create_utils()
        job = await utils.add_job(keyed, None, JobSpec(job_key="k", queue_name="q"))
        run = asyncio.create_task(worker.run())
        await asyncio.wait_for(started.wait(), 15)
        later = JobSpec(job_key="k", queue_name="q", run_at=timedelta(hours=1))
        assert (await utils.add_job(keyed, None, later)).id != job.id
        worker.request_shutdown()
        await asyncio.wait_for(run, 15)
        old = await utils.get_job(job.id)
    assert old is not None
    assert old.attempts == old.max_attempts
