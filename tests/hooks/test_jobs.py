"""The events of a job: each at its moment, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from support.recorder import JOBS, Recorder
from support.running import running, sql, until

from graphile_worker import (
    AfterJobRun,
    BeforeJobRun,
    HookRegistry,
    HookResult,
    Job,
    JobComplete,
    JobFail,
    JobFetch,
    JobInterrupted,
    JobLost,
    JobPermanentlyFail,
    JobSnoozed,
    JobSpec,
    JobStart,
    PermanentFailure,
    RunResult,
    Snooze,
    WorkerContext,
    WorkerOptions,
    batch_task,
    task,
)
from graphile_worker.hooks import events as event_module
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.worker import job_events

WELL = ["JobFetch", "BeforeJobRun", "JobStart", "AfterJobRun"]
ENDS = {JobComplete, JobFail, JobPermanentlyFail, JobInterrupted, JobSnoozed, JobLost}


@task(payload=None)
async def work() -> None: ...


@task
async def act(payload: str, ctx: WorkerContext) -> None:
    match payload:
        case "fail":
            raise ValueError("no luck")
        case "give up":
            raise PermanentFailure("hopeless")
        case "snooze":
            raise Snooze(3600)


@batch_task
async def batch(items: list[str]) -> list[Exception | None]:
    return [ValueError(item) if item == "bad" else None for item in items]


@task(payload=None)
def in_a_thread() -> None: ...


async def run_once(
    url: str, job_task: Any, payload: Any = None, spec: JobSpec | None = None, **options: Any
) -> tuple[RunResult, Job]:
    made = WorkerOptions(database_url=url, tasks=[job_task], **options)
    async with made.init() as worker:
        job = await worker.create_utils().add_job(job_task, payload, spec)
        return await worker.run_once(), job


async def stored(url: str, job: Job) -> asyncpg.Record | None:
    async with sql(url) as connection:
        return await connection.fetchrow(
            "select * from graphile_worker._private_jobs where id = $1", job.id
        )


async def test_the_events_of_a_job_that_runs_well_come_in_order_and_once(
    gw_database: str,
) -> None:
    recorder = Recorder(JOBS)
    async with running(gw_database, tasks=[work, in_a_thread], plugins=[recorder]) as worker:
        utils = worker.create_utils()
        jobs = [await utils.add_job(work), await utils.add_job(in_a_thread)]
        await until(lambda: told(recorder, JobComplete, 2))
    for job in jobs:
        assert recorder.of_job(job.id) == [*WELL, "JobComplete"]
    [fetch, _] = recorder.of(JobFetch)
    assert fetch.worker_id == worker.worker_id
    assert (fetch.job.id, fetch.job.attempts) == (jobs[0].id, 1)
    assert fetch.job.created_at == jobs[0].created_at, "every column is read"
    [before, _] = recorder.of(BeforeJobRun)
    assert before.payload == {}
    [after, _] = recorder.of(AfterJobRun)
    assert after.result is None
    [complete, _] = recorder.of(JobComplete)
    assert complete.duration == after.duration > timedelta(0)
    assert complete.job is fetch.job, "one job object for all of its events"


async def told(recorder: Recorder, kind: type, count: int) -> bool:
    return len(recorder.of(kind)) >= count


async def test_run_once_tells_of_the_job_but_not_of_a_fetch(gw_database: str) -> None:
    recorder = Recorder()
    result, job = await run_once(gw_database, work, plugins=[recorder])
    assert result == RunResult(completed=1)
    assert recorder.of_job(job.id) == [*WELL[1:], "JobComplete"]
    assert recorder.names[0] == "WorkerInit"
    assert not {"WorkerStart", "WorkerShutdown", "JobFetch"} & set(recorder.names)


async def test_complete_is_told_when_the_row_is_gone(gw_database: str) -> None:
    rows: list[object] = []

    async def look(event: JobComplete) -> None:
        rows.append(await stored(gw_database, event.job))

    await run_once(gw_database, work, hooks=on(JobComplete, look))
    assert rows == [None]


def on(event: Any, *handlers: Any) -> HookRegistry:
    hooks = HookRegistry()
    for handler in handlers:
        hooks.on(event, handler)
    return hooks


async def test_a_failure_is_told_when_it_is_stored(gw_database: str) -> None:
    recorder, errors = Recorder(JOBS), []

    async def look(event: JobFail) -> None:
        row = await stored(gw_database, event.job)
        assert row is not None
        errors.append((row["last_error"], row["locked_by"]))

    _, job = await run_once(gw_database, act, "fail", plugins=[recorder], hooks=on(JobFail, look))
    assert recorder.of_job(job.id) == [*WELL[1:], "JobFail"]
    [fail] = recorder.of(JobFail)
    assert (fail.error, fail.will_retry) == ("ValueError: no luck", True)
    assert fail.duration > timedelta(0)
    assert errors == [(fail.error, None)]
    [after] = recorder.of(AfterJobRun)
    assert isinstance(after.result, ValueError)


@pytest.mark.parametrize(
    ("payload", "spec", "error"),
    [
        ("fail", JobSpec(max_attempts=1), "ValueError: no luck"),
        ("give up", JobSpec(), "hopeless"),
    ],
)
async def test_a_failure_for_good_is_told_as_such(
    gw_database: str, payload: str, spec: JobSpec, error: str
) -> None:
    recorder = Recorder(JOBS)
    _, job = await run_once(gw_database, act, payload, spec, plugins=[recorder])
    assert recorder.of_job(job.id) == [*WELL[1:], "JobPermanentlyFail"]
    [fail] = recorder.of(JobPermanentlyFail)
    assert fail.error == error
    row = await stored(gw_database, job)
    assert row is not None
    assert row["last_error"] == error


async def test_a_snooze_is_no_failure(gw_database: str) -> None:
    recorder = Recorder(JOBS)
    _, job = await run_once(gw_database, act, "snooze", plugins=[recorder])
    assert recorder.of_job(job.id) == [*WELL[1:], "JobSnoozed"]
    [snoozed] = recorder.of(JobSnoozed)
    assert snoozed.delay == timedelta(hours=1)
    assert isinstance(recorder.of(AfterJobRun)[0].result, Snooze)


async def test_a_batch_that_failed_in_part_has_failed(gw_database: str) -> None:
    recorder = Recorder(JOBS)
    _, job = await run_once(gw_database, batch, ["good", "bad"], plugins=[recorder])
    assert recorder.of_job(job.id) == [*WELL[1:], "JobFail"]
    assert "1 batch item(s) failed" in recorder.of(JobFail)[0].error


async def test_a_payload_that_does_not_fit_is_a_run_that_failed(gw_database: str) -> None:
    recorder = Recorder(JOBS)
    options = WorkerOptions(database_url=gw_database, tasks=[act], plugins=[recorder])
    async with options.init() as worker:
        job = await worker.create_utils().add_raw_job("act", {"no": "text"})
        await worker.run_once()
    assert recorder.of_job(job.id) == [*WELL[1:], "JobFail"]


async def test_a_job_that_was_taken_away_is_told_as_lost(gw_database: str) -> None:
    recorder = Recorder(JOBS)

    @task(payload=None)
    async def robbed(ctx: WorkerContext) -> None:
        async with sql(gw_database) as connection:
            await connection.execute(
                "update graphile_worker._private_jobs set locked_by = 'another'"
            )

    _, job = await run_once(gw_database, robbed, plugins=[recorder])
    assert recorder.of_job(job.id) == [*WELL[1:], "JobLost"]


async def test_each_of_many_jobs_ends_once(gw_database: str) -> None:
    """Through grouped releases, with failures, threads and slow hooks in between."""
    recorder = Recorder(JOBS)

    async def slow(event: object) -> None:
        await asyncio.sleep(0)

    hooks = on(JobComplete, slow)
    hooks.on(JobFail, slow)
    tasks = [work, act, in_a_thread]
    async with running(
        gw_database, tasks=tasks, plugins=[recorder], hooks=hooks, concurrency=50
    ) as worker:
        utils = worker.create_utils()
        jobs = [
            *await utils.add_jobs(work, [None] * 300),
            *await utils.add_jobs(act, ["fail", "well", "give up"] * 50),
            *await utils.add_jobs(in_a_thread, [None] * 20),
        ]
        await until(lambda: ended(recorder, len(jobs)))
    told_of = Counter(event.job.id for event in recorder.events if type(event) in ENDS)
    assert told_of == dict.fromkeys((job.id for job in jobs), 1)
    assert len(recorder.of(JobComplete)) == 300 + 50 + 20
    assert len(recorder.of(JobFail)) == len(recorder.of(JobPermanentlyFail)) == 50
    for kind in (JobFetch, BeforeJobRun, JobStart, AfterJobRun):
        assert Counter(event.job.id for event in recorder.of(kind)) == told_of


async def ended(recorder: Recorder, count: int) -> bool:
    return sum(type(event) in ENDS for event in recorder.events) >= count


async def test_run_once_waits_for_hooks_that_are_slow(gw_database: str) -> None:
    seen: list[int] = []

    async def slow(event: JobComplete) -> None:
        await asyncio.sleep(0.05)
        seen.append(event.job.id)

    _, job = await run_once(gw_database, work, hooks=on(JobComplete, slow))
    assert seen == [job.id]


async def test_slow_hooks_hold_up_no_release_but_the_claims_in_the_end(
    gw_database: str,
) -> None:
    """All releases of a full worker get through while no hook ends; then no more is claimed."""
    go, waiting = asyncio.Event(), []

    async def slow(event: JobComplete) -> None:
        waiting.append(event.job.id)
        await go.wait()

    async with running(
        gw_database, tasks=[work], hooks=on(JobComplete, slow), concurrency=2
    ) as worker:
        utils = worker.create_utils()
        await utils.add_jobs(work, [None] * 20)
        await until(lambda: at_least(waiting, 4))
        left = (await utils.stats()).total
        assert 20 - left >= 4
        # Never more than twice the concurrency are untold when a claim is decided on.
        assert len(waiting) <= 4 + 2
        go.set()
        await until(lambda: at_least(waiting, 20))
    assert sorted(waiting) == sorted(set(waiting))


async def at_least(things: list[Any], count: int) -> bool:
    return len(things) >= count


async def test_a_hook_that_raises_or_hangs_takes_nothing_down(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(event: object) -> None:
        await asyncio.Event().wait()

    def raise_(event: object) -> None:
        raise SystemExit(1)

    hooks = HookRegistry()
    for kind in (JobFetch, JobStart, JobComplete):
        hooks.on(kind, hang)
        hooks.on(kind, raise_)
    async with running(gw_database, tasks=[work], hooks=hooks, hook_timeout=0.01) as worker:
        utils = worker.create_utils()
        await utils.add_jobs(work, [None] * 10)
        await until(lambda: nothing_left(utils))
    failures = Counter(
        record.getMessage() for record in caplog.records if "the hook" in record.getMessage()
    )
    assert len(failures) == 6
    assert set(failures.values()) == {10}


async def nothing_left(utils: Any) -> bool:
    return (await utils.stats()).total == 0


async def test_context_set_at_the_start_is_seen_by_the_handler(gw_database: str) -> None:
    from contextvars import ContextVar

    mark: ContextVar[int] = ContextVar("mark")
    seen: list[int] = []

    @task(payload=None)
    async def read() -> None:
        seen.append(mark.get())

    @task(payload=None)
    def read_in_thread() -> None:
        seen.append(mark.get())

    def start(event: JobStart) -> None:
        mark.set(event.job.id)

    async def before(event: BeforeJobRun) -> HookResult:
        return HookResult.CONTINUE

    hooks = on(JobStart, start)
    hooks.on(BeforeJobRun, before)
    for reader in (read, read_in_thread):
        _, job = await run_once(gw_database, reader, hooks=hooks)
        assert seen.pop() == job.id


async def test_without_hooks_no_event_is_made(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every event class is made unusable, and jobs end in all their ways."""
    for kind in vars(event_module).values():
        if isinstance(kind, type) and kind.__module__ == event_module.__name__:
            monkeypatch.setattr(kind, "__init__", refuse, raising=False)
    monkeypatch.setattr(Job, "__init__", refuse)
    monkeypatch.setattr(ClaimedJob, "job", refuse)
    for name in ("job_fetch", "job_start", "job_complete"):  # which do without `__init__`
        monkeypatch.setattr(job_events, name, refuse)
    with pytest.raises(AssertionError, match="made without need"):
        JobStart(job=None, worker_id="")  # type: ignore[arg-type]
    options = WorkerOptions(database_url=gw_database, tasks=[work, in_a_thread, batch])
    async with options.init() as worker, sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job(name) from unnest(array['work', 'in_a_thread']) name"
        )
        await connection.execute("""select graphile_worker.add_job('batch', '["bad"]')""")
        result = await worker.run_once()
        assert result == RunResult(completed=2, retried=1)
        run = asyncio.create_task(worker.run())
        await connection.execute("select graphile_worker.add_job('work')")
        count = "select count(*) from graphile_worker._private_jobs where attempts = 0"
        await until(lambda: is_zero(connection, count))
        worker.request_shutdown()
        await run


def refuse(*args: object, **kwargs: object) -> None:
    raise AssertionError("made without need")


async def is_zero(connection: asyncpg.Connection, count: str) -> bool:
    return await connection.fetchval(count) == 0
