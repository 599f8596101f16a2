"""Failures that are hard to tell: logging that refuses, exceptions that are odd."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from support.running import running, sql

from graphile_worker import (
    BeforeJobRun,
    HookRegistry,
    HookResult,
    JobFail,
    JobSpec,
    JobStart,
    PermanentFailure,
    Snooze,
    WorkerContext,
    WorkerOptions,
    task,
)
from graphile_worker.telemetry.event_log import EventLog


@pytest.fixture
def jobs_on_records(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A program whose record factory sets `job_id` and `worker_id`; then `extra=` may not."""
    usual = logging.getLogRecordFactory()

    def factory(*args: Any, **more: Any) -> logging.LogRecord:
        record = usual(*args, **more)
        record.job_id = record.worker_id = "set by the program"
        return record

    logging.setLogRecordFactory(factory)
    caplog.set_level(logging.INFO, "graphile_worker")
    yield
    logging.setLogRecordFactory(usual)


@contextmanager
def refusing(logger: str) -> Iterator[None]:
    """A program whose filter raises at each line of a logger."""

    def refuse(record: logging.LogRecord) -> bool:
        raise LookupError("a filter that raises")

    logging.getLogger(logger).addFilter(refuse)
    try:
        yield
    finally:
        logging.getLogger(logger).removeFilter(refuse)


async def run_once(url: str, work: Any, *, hooks: HookRegistry | None = None) -> asyncpg.Record:
    """Run a job of the task, and answer what its row is then."""
    options = WorkerOptions(database_url=url, tasks=[work], hooks=hooks)
    async with options.init() as worker:
        await worker.create_utils().add_job(work, None)
        async with asyncio.timeout(20):
            await worker.run_once()
    return await the_row(url)


async def the_row(url: str) -> asyncpg.Record:
    async with sql(url) as connection:
        row = await connection.fetchrow("select * from graphile_worker._private_jobs")
    assert row is not None
    return row


@task(payload=None)
async def fails() -> None:
    raise ValueError("boom")


@pytest.mark.usefixtures("jobs_on_records")
async def test_a_failure_whose_fields_the_logging_refuses_is_logged_without(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    row = await run_once(gw_database, fails)
    assert (row["locked_at"], row["last_error"]) == (None, "ValueError: boom")
    [record] = [record for record in caplog.records if "boom" in record.getMessage()]
    assert vars(record)["job_id"] == "set by the program"
    assert record.funcName == "_log_failure"
    assert record.exc_info is not None


async def test_a_failure_whose_line_a_filter_raises_at_is_stored(
    gw_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with refusing("graphile_worker.worker.run_job"):
        row = await run_once(gw_database, fails)
    assert (row["locked_at"], row["last_error"]) == (None, "ValueError: boom")
    assert "a filter that raises" in capsys.readouterr().err


async def test_hooks_whose_failures_cannot_be_logged_harm_neither_job_nor_worker(
    gw_database: str,
) -> None:
    hooks = HookRegistry()

    def broken(event: object) -> None:
        raise RuntimeError("a broken hook")

    hooks.on(JobStart, broken)
    hooks.on(JobFail, broken)
    with refusing("graphile_worker.hooks.handlers"):
        row = await run_once(gw_database, fails, hooks=hooks)
    assert (row["locked_at"], row["last_error"]) == (None, "ValueError: boom")


class Nap(Snooze):
    def __init__(self) -> None:
        """Without a call of `Snooze.__init__`."""


class Hopeless(PermanentFailure):
    def __init__(self, customer: str) -> None:
        """Without a call of `PermanentFailure.__init__`."""


@task(payload=None)
async def naps() -> None:
    raise Nap


@task(payload=None, executor="thread")
def naps_in_a_thread() -> None:
    raise Nap


@pytest.mark.parametrize("work", [naps, naps_in_a_thread])
async def test_a_snooze_without_a_delay_is_a_failure_that_says_so(
    gw_database: str, work: Any
) -> None:
    row = await run_once(gw_database, work)
    assert (row["locked_at"], row["attempts"]) == (None, 1)
    assert row["last_error"] == (
        "TypeError: the delay of Nap is None, not a timedelta; "
        "its __init__ must call super().__init__(delay)"
    )


async def test_a_permanent_failure_of_any_class_is_one(gw_database: str) -> None:
    @task(payload=None)
    async def hopeless() -> None:
        raise Hopeless("no such customer")

    row = await run_once(gw_database, hopeless)
    assert (row["locked_at"], row["attempts"]) == (None, row["max_attempts"])
    assert row["last_error"] == "no such customer"


@dataclass(frozen=True)
class Declined(Exception):  # noqa: N818
    code: int


async def test_an_exception_that_takes_no_notes_is_raised_all_the_same(gw_database: str) -> None:
    @task(payload=None)
    async def pays() -> None:
        raise Declined(3)

    async with WorkerOptions(database_url=gw_database, tasks=[pays]).init() as worker:
        await worker.create_utils().add_job(pays, None)
        with pytest.raises(ExceptionGroup) as caught:
            await worker.run_once(raise_on_failure=True)
    assert caught.value.exceptions == (Declined(3),)
    assert (await the_row(gw_database))["locked_at"] is None


async def test_a_hook_whose_reason_is_no_text_fails_its_job(gw_database: str) -> None:
    hooks = HookRegistry()
    no_text: Any = 404
    hooks.on(BeforeJobRun, lambda _: HookResult.fail(no_text))
    row = await run_once(gw_database, fails, hooks=hooks)
    assert (row["locked_at"], row["attempts"]) == (None, 1)
    assert row["last_error"].startswith("TypeError: ")


async def test_a_backoff_that_is_cancelled_leaves_no_job_locked(gw_database: str) -> None:
    def cancelled(attempts: int) -> timedelta:
        raise asyncio.CancelledError

    @task(payload=None, backoff=cancelled)
    async def fails() -> None:
        raise ValueError("boom")

    row = await run_once(gw_database, fails)
    assert (row["locked_at"], row["attempts"], row["last_error"]) == (None, 1, "CancelledError")


@pytest.mark.usefixtures("jobs_on_records")
async def test_a_lost_job_does_not_end_the_worker(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    ran: asyncio.Queue[int] = asyncio.Queue()

    @task(payload=None)
    async def loses_itself(ctx: WorkerContext) -> None:
        async with sql(gw_database) as connection:
            await connection.execute("delete from graphile_worker._private_jobs")
        ran.put_nowait(ctx.job.id)

    async with running(gw_database, tasks=[loses_itself]) as worker:
        for _ in range(2):
            job = await worker.create_utils().add_job(loses_itself, None)
            assert await asyncio.wait_for(ran.get(), 20) == job.id
    lost = [record for record in caplog.records if "is no longer held" in record.getMessage()]
    assert len(lost) == 2


@pytest.mark.usefixtures("jobs_on_records")
async def test_a_shutdown_that_interrupts_a_job_is_orderly(gw_database: str) -> None:
    started = asyncio.Event()

    @task(payload=None)
    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    async with running(gw_database, tasks=[endless], shutdown_grace_period=0) as worker:
        await worker.create_utils().add_job(endless, None, JobSpec(queue_name="q"))
        await asyncio.wait_for(started.wait(), 20)
    row = await the_row(gw_database)
    assert (row["locked_at"], row["attempts"]) == (None, 0)
    assert row["run_at"] > row["created_at"] + timedelta(seconds=1)


@pytest.mark.usefixtures("jobs_on_records")
async def test_events_whose_fields_the_logging_refuses_are_logged_without(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "graphile_worker")
    hooks = HookRegistry()
    EventLog().register(hooks)
    await run_once(gw_database, fails, hooks=hooks)
    lines = [record for record in caplog.records if record.name == "graphile_worker.job"]
    assert lines
    assert "the hook" not in caplog.text
