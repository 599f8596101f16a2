"""What hooks make of a run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.recorder import JOBS, Recorder
from support.running import sql
from support.tasks_in_processes import Work, far_away

from graphile_worker import (
    AfterJobRun,
    BeforeJobRun,
    HookRegistry,
    HookResult,
    Job,
    JobComplete,
    JobFail,
    JobPermanentlyFail,
    JobSpec,
    PermanentFailure,
    RunResult,
    WorkerOptions,
    batch_task,
    task,
)

ran: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@task
async def act(payload: str) -> None:
    ran.append(payload)
    if payload == "fail":
        raise ValueError("no luck")
    if payload == "give up":
        raise PermanentFailure("hopeless")


@batch_task
async def batch(items: list[str]) -> list[Exception | None]:
    return [ValueError(item) if item == "bad" else None for item in items]


class Ran:
    """One job, run with a hook."""

    def __init__(self, result: RunResult, recorder: Recorder, left: Job | None, id_: int) -> None:
        self.result = result
        self.recorder = recorder
        self.left = left
        self.told = recorder.of_job(id_)


async def run(
    url: str,
    event: Any,
    *handlers: Any,
    payload: Any = "well",
    spec: JobSpec | None = None,
    job_task: Any = act,
    raise_on_failure: bool = False,
) -> Ran:
    hooks, recorder = HookRegistry(), Recorder(JOBS)
    recorder.register(hooks)
    for handler in handlers:
        hooks.on(event, handler)
    async with WorkerOptions(database_url=url, tasks=[job_task], hooks=hooks).init() as worker:
        utils = worker.create_utils()
        job = await utils.add_job(job_task, payload, spec)
        result = await worker.run_once(raise_on_failure=raise_on_failure)
        return Ran(result, recorder, await utils.get_job(job.id), job.id)


def skip(event: object) -> HookResult:
    return HookResult.skip()


def fail(event: object) -> HookResult:
    return HookResult.fail("refused\0 by a hook")


async def test_a_job_skipped_before_its_run_counts_as_done(gw_database: str) -> None:
    run_ = await run(gw_database, BeforeJobRun, skip)
    assert ran == []
    assert run_.left is None
    assert run_.result == RunResult(completed=1)
    assert run_.told == ["BeforeJobRun", "JobComplete"]
    assert run_.recorder.of(JobComplete)[0].duration == timedelta(0)


async def test_a_job_refused_before_its_run_has_failed_with_the_reason_alone(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    run_ = await run(gw_database, BeforeJobRun, fail)
    assert ran == []
    assert run_.told == ["BeforeJobRun", "JobFail"]
    assert run_.left is not None
    assert (run_.left.last_error, run_.left.attempts) == ("refused\ufffd by a hook", 1)
    assert run_.recorder.of(JobFail)[0].error == run_.left.last_error
    assert run_.left.run_at > run_.left.created_at + timedelta(seconds=2), "backs off as ever"
    assert "failed (attempt 1 of 25): refused" in caplog.text


async def test_a_job_refused_at_its_last_attempt_has_failed_for_good(gw_database: str) -> None:
    run_ = await run(gw_database, BeforeJobRun, fail, spec=JobSpec(max_attempts=1))
    assert run_.told == ["BeforeJobRun", "JobPermanentlyFail"]
    assert run_.result == RunResult(failed=1)


async def test_the_tasks_own_backoff_counts_for_hooks_too(gw_database: str) -> None:
    @task(payload=None, backoff=lambda _: timedelta(days=3))
    async def patient() -> None: ...

    run_ = await run(gw_database, BeforeJobRun, fail, payload=None, job_task=patient)
    assert run_.left is not None
    assert run_.left.run_at > run_.left.created_at + timedelta(days=2)


async def test_a_raising_interceptor_fails_the_job_with_its_reason(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(event: BeforeJobRun) -> None:
        raise LookupError("no such tenant")

    run_ = await run(gw_database, BeforeJobRun, broken)
    assert run_.left is not None
    assert run_.left.last_error == "no such tenant"
    assert "broken failed at BeforeJobRun" in caplog.text


async def test_failures_by_hooks_are_raised_for_tests(gw_database: str) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await run(gw_database, BeforeJobRun, fail, raise_on_failure=True)
    assert "refused" in str(raised.value.exceptions[0])


async def test_the_first_opinion_decides(gw_database: str) -> None:
    run_ = await run(gw_database, BeforeJobRun, lambda _: None, skip, fail)
    assert run_.left is None


async def test_a_failure_skipped_after_the_run_is_forgotten(gw_database: str) -> None:
    run_ = await run(gw_database, AfterJobRun, skip, payload="fail", raise_on_failure=True)
    assert ran == ["fail"]
    assert run_.left is None
    assert run_.told == ["BeforeJobRun", "JobStart", "AfterJobRun", "JobComplete"]
    assert run_.recorder.of(JobComplete)[0].duration > timedelta(0)


async def test_a_success_refused_after_the_run_is_a_failure(gw_database: str) -> None:
    run_ = await run(gw_database, AfterJobRun, fail)
    assert ran == ["well"]
    assert run_.left is not None
    assert run_.left.last_error == "refused\ufffd by a hook"
    assert run_.told[-1] == "JobFail"


async def test_another_reason_for_a_failure_changes_no_more_than_the_reason(
    gw_database: str,
) -> None:
    run_ = await run(gw_database, AfterJobRun, fail, payload="give up")
    assert run_.told[-1] == "JobPermanentlyFail"
    assert run_.recorder.of(JobPermanentlyFail)[0].error == "refused\ufffd by a hook"
    batch_run = await run(gw_database, AfterJobRun, fail, payload=["good", "bad"], job_task=batch)
    assert batch_run.left is not None
    assert batch_run.left.payload == ["bad"], "what was done is not done again"


async def test_a_hook_can_tell_a_failure_by_what_was_raised(gw_database: str) -> None:
    async def forgive(event: AfterJobRun) -> HookResult | None:
        return HookResult.skip() if isinstance(event.result, ValueError) else None

    assert (await run(gw_database, AfterJobRun, forgive, payload="fail")).left is None
    assert (await run(gw_database, AfterJobRun, forgive, payload="give up")).left is not None


async def test_changing_the_payload_of_an_event_changes_nothing(gw_database: str) -> None:
    seen: list[Any] = []

    @task
    async def take(payload: dict[str, int]) -> None:
        seen.append(payload)

    def change(event: BeforeJobRun) -> None:
        event.payload["a"] = 2

    await run(gw_database, BeforeJobRun, change, payload={"a": 1}, job_task=take)
    assert seen == [{"a": 1}]


async def test_a_process_task_is_asked_about_like_any_other(
    gw_database: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    run_ = await run(gw_database, AfterJobRun, fail, payload=Work(str(log)), job_task=far_away)
    assert log.exists()
    assert run_.told == ["BeforeJobRun", "JobStart", "AfterJobRun", "JobFail"]


async def test_the_hook_may_use_the_database_while_it_is_asked(gw_database: str) -> None:
    async def allowed(event: BeforeJobRun) -> HookResult | None:
        async with sql(gw_database) as connection:
            held = await connection.fetchval("select count(*) from graphile_worker._private_jobs")
        return None if held == 1 else HookResult.fail("unexpected")

    assert (await run(gw_database, BeforeJobRun, allowed)).left is None
