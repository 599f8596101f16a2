"""Running everything that is due."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from support.running import sql

from graphile_worker import (
    ConfigurationError,
    JobKeyMode,
    JobSpec,
    JobState,
    PermanentFailure,
    Snooze,
    SyncWorkerContext,
    WorkerContext,
    WorkerOptions,
    batch_task,
    task,
)

SOON = timedelta(milliseconds=10)


@dataclass
class Number:
    n: int


def options(url: str, *tasks: object, **more: object) -> WorkerOptions:
    return WorkerOptions(database_url=url, tasks=tasks, **{"concurrency": 4, **more})


async def test_runs_what_is_due_and_deletes_it(gw_database: str) -> None:
    seen = []

    @task
    async def remember(payload: Number, ctx: WorkerContext) -> None:
        seen.append((payload, ctx.job.attempts, ctx.job.state, ctx.payload))

    async with options(gw_database, remember).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(remember, Number(1))
        result = await worker.run_once()
        assert (result.completed, result.failed, result.retried) == (1, 0, 0)
        assert seen == [(Number(1), 1, JobState.LOCKED, {"n": 1})]
        assert (await utils.stats()).total == 0


async def test_jobs_due_since_ever_are_run_first_and_listed_with_a_time_zone(
    gw_database: str,
) -> None:
    seen = []

    @task
    async def remember(payload: Number, ctx: WorkerContext) -> None:
        seen.append((payload.n, ctx.job.run_at.tzinfo))

    async with options(gw_database, remember).init() as worker, sql(gw_database) as connection:
        for n, run_at in ((1, "now"), (2, "-infinity"), (3, "infinity")):
            await connection.execute(
                "select graphile_worker.add_job('remember', $1::text::json, run_at => $2::text::timestamptz)",
                f'{{"n": {n}}}',
                run_at,
            )
        listed = await worker.create_utils().list_jobs()
        assert all(job.run_at.tzinfo is UTC for job in listed)
        assert (await worker.run_once()).completed == 2
    assert seen == [(2, UTC), (1, UTC)]


async def test_an_empty_queue_is_nothing_to_do(gw_database: str) -> None:
    @task(payload=None)
    async def nothing() -> None: ...

    async with options(gw_database, nothing).init() as worker:
        result = await worker.run_once()
    assert (result.completed, result.failed, result.retried) == (0, 0, 0)


async def test_jobs_of_the_future_and_of_other_tasks_stay(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    @task(payload=None)
    async def known() -> None: ...

    async with options(gw_database, known).init() as worker:
        utils = worker.create_utils()
        later = await utils.add_job(known, None, JobSpec(run_at=timedelta(hours=1)))
        foreign = await utils.add_raw_job("somebody_elses")
        result = await worker.run_once()
        assert result.completed == 0
        assert [job.id for job in await utils.list_jobs()] == [later.id, foreign.id]
        assert {job.attempts for job in await utils.list_jobs()} == {0}
    assert "'somebody_elses'" in caplog.text


async def test_a_failure_backs_off_by_graphiles_formula(gw_database: str) -> None:
    @task(payload=None)
    async def fails() -> None:
        raise ValueError("out of paper")

    async with options(gw_database, fails).init() as worker:
        utils = worker.create_utils()
        added = await utils.add_job(fails)
        result = await worker.run_once()
        assert (result.completed, result.failed, result.retried) == (0, 0, 1)
        job = await utils.get_job(added.id)
        assert job is not None
        assert (job.attempts, job.last_error) == (1, "ValueError: out of paper")
        assert (job.locked_at, job.locked_by, job.state) == (None, None, JobState.SCHEDULED)
        delay = (job.run_at - added.run_at).total_seconds()
        assert 2.718 <= delay < 2.718 + 5

        async with sql(gw_database) as connection:
            await connection.execute("update graphile_worker._private_jobs set run_at = now()")
            started = await connection.fetchval("select clock_timestamp()")
        await worker.run_once()
        job = await utils.get_job(added.id)
        assert job is not None
        assert job.attempts == 2
        assert 7.389 <= (job.run_at - started).total_seconds() < 7.389 + 5


async def test_the_last_attempt_fails_for_good(gw_database: str) -> None:
    @task(payload=None, backoff=lambda attempt: SOON * attempt)
    async def fails() -> None:
        raise ValueError

    async with options(gw_database, fails).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(fails, None, JobSpec(max_attempts=3))
        failed = 0
        while not (dead := await utils.list_jobs("failed")):
            failed += (await worker.run_once()).failed
    assert failed == 1
    assert (dead[0].attempts, dead[0].last_error) == (3, "ValueError")


async def test_a_permanent_failure_is_not_retried(gw_database: str) -> None:
    @task(payload=None)
    async def refuses() -> None:
        raise PermanentFailure("no such account")

    async with options(gw_database, refuses).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(refuses)
        result = await worker.run_once()
        [job] = await utils.list_jobs("failed")
        assert (job.attempts, job.max_attempts) == (25, 25)
        assert job.last_error == "no such account"
    assert result.failed == 1


async def test_a_snoozed_job_runs_again_without_having_spent_an_attempt(gw_database: str) -> None:
    attempts = []

    @task(payload=None)
    async def waits(ctx: WorkerContext) -> None:
        attempts.append(ctx.job.attempts)
        if len(attempts) < 3:
            raise Snooze(SOON)

    async with options(gw_database, waits).init() as worker:
        await worker.create_utils().add_job(waits, None, JobSpec(max_attempts=1))
        while len(attempts) < 3:
            await worker.run_once()
    assert attempts == [1, 1, 1]


async def test_a_delay_beyond_all_bounds_takes_nothing_down(gw_database: str) -> None:
    @task(payload=None)
    async def snoozes() -> None:
        raise Snooze(timedelta.max)

    @task(payload=None, backoff=lambda _: timedelta.max)
    async def fails() -> None:
        raise ValueError

    async with options(gw_database, snoozes, fails).init() as worker:
        utils = worker.create_utils()
        snoozed = await utils.add_job(snoozes, None, JobSpec(max_attempts=1))
        failed = await utils.add_job(fails)
        result = await worker.run_once()
        assert result.retried == 2
        assert {job.id for job in await utils.list_jobs("scheduled")} == {snoozed.id, failed.id}


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, StopIteration, BaseException])
@pytest.mark.parametrize("threaded", [False, True])
async def test_whatever_a_handler_raises_fails_its_job_only(
    gw_database: str, kind: type[BaseException], threaded: bool
) -> None:
    @task(payload=None)
    async def raises() -> None:
        raise kind("stop")

    @task("raises", payload=None)
    def raises_in_thread() -> None:
        raise kind("stop")

    chosen = raises_in_thread if threaded else raises
    async with options(gw_database, chosen).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(chosen)
        await worker.run_once()
        [job] = await utils.list_jobs()
    assert job.attempts == 1
    assert job.last_error is not None
    # Python itself turns a coroutine's StopIteration into a RuntimeError.
    assert ("stop" in job.last_error) or (kind is StopIteration and not threaded)


async def test_a_cancellation_by_the_handler_itself_is_a_failure(gw_database: str) -> None:
    @task(payload=None)
    async def cancels() -> None:
        raise asyncio.CancelledError

    async with options(gw_database, cancels).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(cancels)
        result = await worker.run_once()
        [job] = await utils.list_jobs()
    assert result.retried == 1
    assert (job.attempts, job.last_error) == (1, "CancelledError")


async def test_a_payload_that_does_not_fit_fails_the_job_and_names_the_field(
    gw_database: str,
) -> None:
    @task
    async def count(payload: Number) -> None:
        raise AssertionError("must not be called")

    async with options(gw_database, count).init() as worker:
        utils = worker.create_utils()
        await utils.add_raw_job("count", {"n": "three"})
        await worker.run_once()
        [job] = await utils.list_jobs()
    assert job.last_error is not None
    assert job.last_error.startswith("PayloadError: ")
    assert "n" in job.last_error


async def test_a_timeout_ends_an_async_handler(gw_database: str) -> None:
    ended = []

    @task(payload=None, timeout=0.05)
    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    @task(payload=None, timeout=60)
    async def times_out_itself() -> None:
        raise TimeoutError("the printer")

    async with options(gw_database, hangs, times_out_itself).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(hangs)
        await utils.add_job(times_out_itself)
        await worker.run_once()
        errors = [job.last_error for job in await utils.list_jobs()]
    assert ended == [True]
    assert errors == ["TimeoutError: 0.05 s", "TimeoutError: the printer"]


async def test_a_thread_that_times_out_is_abandoned_and_keeps_its_slot(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()

    @task(payload=None, timeout=0.05)
    def hangs() -> None:
        release.wait(10)

    async with options(gw_database, hangs).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(hangs)
        await worker.run_once()
        [job] = await utils.list_jobs()
        release.set()
    assert job.last_error == "TimeoutError: 0.05 s"
    assert "Abandoned the thread" in caplog.text


async def test_plain_functions_run_in_threads_at_once_and_see_context_variables(
    gw_database: str,
) -> None:
    colour = contextvars.ContextVar("colour", default="none")
    both = threading.Barrier(2)
    seen = []

    @task(payload=None)
    def meets(ctx: SyncWorkerContext) -> None:
        both.wait(10)
        seen.append((threading.current_thread() is threading.main_thread(), colour.get()))
        ctx.add_job(follows, Number(1))

    @task
    async def follows(payload: Number) -> None:
        seen.append(payload)

    colour.set("red")
    async with options(gw_database, meets, follows).init() as worker:
        utils = worker.create_utils()
        await utils.add_jobs(meets, [None, None])
        result = await worker.run_once()
    assert result.completed == 4
    assert sorted(map(str, seen)) == sorted(map(str, [(False, "red")] * 2 + [Number(1)] * 2))


async def test_a_plain_function_that_returns_a_coroutine_has_not_run(gw_database: str) -> None:
    async def real() -> None: ...

    @task(payload=None, executor="thread")
    def wrapper() -> object:
        return real()

    async with options(gw_database, wrapper).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(wrapper)
        await worker.run_once()
        [job] = await utils.list_jobs()
    assert job.last_error is not None
    assert "returned a coroutine" in job.last_error


async def test_context_variables_do_not_leak_from_job_to_job(gw_database: str) -> None:
    colour = contextvars.ContextVar("colour", default="none")
    seen = []

    @task
    async def paints(payload: Number) -> None:
        seen.append(colour.get())
        colour.set(f"colour {payload.n}")

    async with options(gw_database, paints, concurrency=1).init() as worker:
        await worker.create_utils().add_jobs(paints, [Number(1), Number(2)])
        await worker.run_once()
    assert seen == ["none", "none"]


async def test_a_batch_keeps_what_failed_with_its_stored_values(gw_database: str) -> None:
    runs = []

    @batch_task(backoff=lambda _: SOON)
    async def notify(items: list[Number]) -> list[Exception | None]:
        runs.append([item.n for item in items])
        return [ValueError("busy") if item.n % 2 and len(runs) == 1 else None for item in items]

    async with options(gw_database, notify).init() as worker:
        utils = worker.create_utils()
        await utils.add_raw_job("notify", [{"n": n, "note": "kept"} for n in range(4)])
        first = await worker.run_once()
        while (await utils.stats()).total:
            await worker.run_once()
    assert first.retried == 1
    assert runs == [[0, 1, 2, 3], [1, 3]]


async def test_jobs_of_a_queue_run_one_after_the_other_in_order(gw_database: str) -> None:
    order, running_now, most = [], 0, 0

    @task
    async def serial(payload: Number) -> None:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        await asyncio.sleep(0)
        order.append(payload.n)
        running_now -= 1

    async with options(gw_database, serial, concurrency=10).init() as worker:
        utils = worker.create_utils()
        await utils.add_jobs([serial.job(Number(n), JobSpec(queue_name="one")) for n in range(30)])
        result = await worker.run_once()
    assert (result.completed, most) == (30, 1)
    assert order == list(range(30))


async def test_concurrency_is_reached_and_never_exceeded(gw_database: str) -> None:
    running_now, most = 0, 0
    full = asyncio.Event()

    @task(payload=None)
    async def together() -> None:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        if running_now == 4:
            full.set()
        await asyncio.wait_for(full.wait(), 10)
        await asyncio.sleep(0)
        running_now -= 1

    async with options(gw_database, together, concurrency=4).init() as worker:
        await worker.create_utils().add_jobs(together, [None] * 23)
        result = await worker.run_once()
    assert (result.completed, most) == (23, 4)


async def test_lower_priority_numbers_run_first(gw_database: str) -> None:
    order = []

    @task
    async def note(payload: Number) -> None:
        order.append(payload.n)

    async with options(gw_database, note, concurrency=1).init() as worker:
        utils = worker.create_utils()
        for priority in (5, -5, 0):
            await utils.add_job(note, Number(priority), JobSpec(priority=priority))
        await utils.add_job(note, Number(-9), JobSpec(priority=-9, queue_name="q"))
        await worker.run_once()
    assert order == [-9, -5, 0, 5]


async def test_forbidden_flags_are_left_alone(gw_database: str) -> None:
    @task(payload=None)
    async def work() -> None: ...

    async with options(gw_database, work, forbidden_flags=["high_memory"]).init() as worker:
        utils = worker.create_utils()
        left = await utils.add_job(work, None, JobSpec(flags=["high_memory", "b"]))
        queued = await utils.add_job(work, None, JobSpec(flags=["high_memory"], queue_name="q"))
        await utils.add_job(work, None, JobSpec(flags=["b"]))
        await utils.add_job(work, None, JobSpec(queue_name="q"))
        result = await worker.run_once()
        rest = await utils.list_jobs()
    assert result.completed == 2
    assert [job.id for job in rest] == [left.id, queued.id]
    assert rest[0].flags == {"high_memory", "b"}


async def test_a_job_replaced_while_it_runs_is_not_retried_and_its_successor_runs(
    gw_database: str,
) -> None:
    runs = []

    @task
    async def work(payload: Number, ctx: WorkerContext) -> None:
        runs.append(payload.n)
        if payload.n == 1:
            await ctx.add_job(work, Number(2), JobSpec(job_key="k"))
            raise ValueError("superseded anyway")

    async with options(gw_database, work).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(work, Number(1), JobSpec(job_key="k"))
        result = await worker.run_once()
        [job] = await utils.list_jobs()
    assert runs == [1, 2]
    assert result.completed == 1
    assert (job.key, job.attempts, job.state) == (None, 25, JobState.FAILED)


@pytest.mark.parametrize("last_attempt", [False, True])
async def test_a_superseded_job_that_snoozes_does_not_run_once_more(
    gw_database: str, last_attempt: bool
) -> None:
    runs = []

    @task
    async def work(payload: Number, ctx: WorkerContext) -> None:
        runs.append(payload.n)
        if payload.n == 1:
            await ctx.add_job(work, Number(2), JobSpec(job_key="k"))
            raise Snooze(0)

    async with options(gw_database, work).init() as worker:
        utils = worker.create_utils()
        attempts = 1 if last_attempt else 25
        await utils.add_job(work, Number(1), JobSpec(job_key="k", max_attempts=attempts))
        await worker.run_once()
        await worker.run_once()
    assert runs == [1, 2]


async def test_failures_can_be_raised_for_tests(gw_database: str) -> None:
    @task(payload=None)
    async def fails() -> None:
        raise ValueError("seen")

    async with options(gw_database, fails).init() as worker:
        await worker.create_utils().add_job(fails)
        with pytest.raises(ExceptionGroup) as caught:
            await worker.run_once(raise_on_failure=True)
    [error] = caught.value.exceptions
    assert str(error) == "seen"
    assert "fails" in "".join(error.__notes__)


async def test_extensions_reach_handlers_by_type(gw_database: str) -> None:
    seen = []

    @task(payload=None)
    async def asks(ctx: WorkerContext) -> None:
        seen.append(ctx.get_ext(Number).n)
        with pytest.raises(LookupError, match="dict"):
            ctx.get_ext(dict)

    async with options(gw_database, asks, extensions=[Number(7)]).init() as worker:
        await worker.create_utils().add_job(asks)
        await worker.run_once(raise_on_failure=True)
    assert seen == [7]


async def test_use_local_time_decides_by_this_machines_clock(gw_database: str) -> None:
    @task(payload=None)
    async def work() -> None: ...

    async with options(gw_database, work, use_local_time=True).init() as worker:
        utils = worker.create_utils()
        before = datetime.now(UTC)
        job = await utils.add_job(work)
        assert before <= job.run_at <= datetime.now(UTC)
        assert (await worker.run_once()).completed == 1


async def test_a_worker_runs_once_at_a_time(gw_database: str) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def waits() -> None:
        started.set()
        await release.wait()

    async with options(gw_database, waits).init() as worker:
        await worker.create_utils().add_job(waits)
        first = asyncio.create_task(worker.run_once())
        await started.wait()
        with pytest.raises(ConfigurationError, match="already running"):
            await worker.run_once()
        release.set()
        assert (await first).completed == 1


async def test_a_handler_that_blocks_the_loop_is_named(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    @task(payload=None)
    async def blocks() -> None:
        deadline = time.monotonic() + 10
        while "blocked" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)  # noqa: ASYNC251 (the fault under test)

    async with options(gw_database, blocks).init() as worker:
        job = await worker.create_utils().add_job(blocks)
        await worker.run_once()
    assert f"job {job.id} (blocks)" in caplog.text


async def test_a_large_payload_works(gw_database: str) -> None:
    sizes = []

    @task
    async def weigh(payload: str) -> None:
        sizes.append(len(payload))

    async with options(gw_database, weigh).init() as worker:
        await worker.create_utils().add_job(weigh, "x" * 20_000_000)
        await worker.run_once(raise_on_failure=True)
    assert sizes == [20_000_000]


async def test_unsafe_dedupe_leaves_the_job_as_it_is(gw_database: str) -> None:
    @task
    async def work(payload: Number) -> None: ...

    async with options(gw_database, work).init() as worker:
        utils = worker.create_utils()
        spec = JobSpec(job_key="k", job_key_mode=JobKeyMode.UNSAFE_DEDUPE)
        first = await utils.add_job(work, Number(1), spec)
        second = await utils.add_job(work, Number(2), spec)
    assert (second.id, second.payload, second.revision) == (first.id, {"n": 1}, 1)


@task(payload=None)
async def nothing() -> None: ...


async def test_a_worker_that_was_shut_down_does_not_run_again(gw_database: str) -> None:
    async with WorkerOptions(database_url=gw_database, tasks=[nothing]).init() as worker:
        await worker.run_once()
        await worker.run_once()
        worker.request_shutdown()
        await worker.run_once()
        with pytest.raises(ConfigurationError, match="was shut down; make another"):
            await worker.run_once()
        with pytest.raises(ConfigurationError, match="was shut down; make another"):
            await worker.run()
