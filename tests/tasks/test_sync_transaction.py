"""`ctx.transaction()` in a plain function, over psycopg."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import psycopg
import pytest
from support.running import sql

from graphile_worker import (
    BeforeJobSchedule,
    ConfigurationError,
    HookRegistry,
    JobScheduleResult,
    JobSpec,
    RunResult,
    Snooze,
    SyncWorkerContext,
    WorkerOptions,
    task,
)

JOBS = "graphile_worker._private_jobs"


@pytest.fixture
async def ledger(gw_database: str) -> AsyncIterator[asyncpg.Connection]:
    async with sql(gw_database) as connection:
        await connection.execute("create table ledger (job bigint)")
        yield connection


async def run(url: str, handler: Any, **options: Any) -> tuple[int, RunResult]:
    async with WorkerOptions(database_url=url, tasks=[handler], **options).init() as worker:
        job = await worker.create_utils().add_job(handler, None, JobSpec(queue_name="q"))
        return job.id, await worker.run_once()


async def test_both_are_committed(gw_database: str, ledger: asyncpg.Connection) -> None:
    @task(payload=None)
    def work(ctx: SyncWorkerContext) -> None:
        with ctx.transaction() as connection:
            assert isinstance(connection, psycopg.Connection)
            connection.execute("insert into ledger values (%s)", [ctx.job.id])
            ctx.add_raw_job("later", None, JobSpec(run_at=timedelta(hours=1)))

    job, result = await run(gw_database, work)
    assert result == RunResult(completed=1)
    assert [row["job"] for row in await ledger.fetch("select job from ledger")] == [job]
    left = await ledger.fetch("select task_identifier from graphile_worker.jobs")
    assert [row[0] for row in left] == ["later"]
    queues = "select count(*) from graphile_worker._private_job_queues where locked_at is not null"
    assert await ledger.fetchval(queues) == 0


async def test_hooks_are_asked_about_jobs_added_inside(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    @task(payload=None)
    def work(ctx: SyncWorkerContext) -> None:
        with ctx.transaction():
            ctx.add_raw_job("later", "ada", JobSpec(run_at=timedelta(hours=1)))

    hooks = HookRegistry()
    hooks.on(BeforeJobSchedule, lambda event: JobScheduleResult.proceed(f"{event.payload}!"))
    await run(gw_database, work, hooks=hooks)
    added = "select payload #>> '{}' from graphile_worker._private_jobs"
    assert await ledger.fetchval(added) == "ada!"


@pytest.mark.parametrize("raised", [ValueError("no"), Snooze(3600)])
async def test_an_exception_rolls_back(
    gw_database: str, ledger: asyncpg.Connection, raised: Exception
) -> None:
    @task(payload=None)
    def work(ctx: SyncWorkerContext) -> None:
        with ctx.transaction() as connection:
            connection.execute("insert into ledger values (%s)", [ctx.job.id])
            ctx.add_raw_job("later", None, JobSpec(run_at=timedelta(hours=1)))
            raise raised

    _, result = await run(gw_database, work)
    assert result == RunResult(retried=1)
    assert await ledger.fetchval("select count(*) from ledger") == 0
    [row] = await ledger.fetch(f"select * from {JOBS}")
    assert row["attempts"] == (0 if isinstance(raised, Snooze) else 1)


async def test_a_job_that_was_lost_meanwhile_rolls_everything_back(
    gw_database: str, ledger: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    @task(payload=None)
    def work(ctx: SyncWorkerContext) -> None:
        with ctx.transaction() as connection:
            connection.execute("insert into ledger values (%s)", [ctx.job.id])
            with psycopg.connect(gw_database) as other:
                other.execute(f"update {JOBS} set locked_at = locked_at + interval '1 s'")

    job, result = await run(gw_database, work)
    assert result == RunResult()
    assert await ledger.fetchval("select count(*) from ledger") == 0
    assert f"job {job} is no longer held" in caplog.text


async def test_once_a_run_and_after_the_commit_only_logged(
    gw_database: str, ledger: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    @task(payload=None)
    def work(ctx: SyncWorkerContext) -> None:
        with ctx.transaction():
            pass
        with ctx.transaction():
            pass

    job, result = await run(gw_database, work)
    assert result == RunResult(completed=1)
    assert f"job {job} (work) is done, and raised after its commit" in caplog.text
    assert "once a run" in caplog.text


async def test_without_any_url_it_says_what_to_give(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    said: list[str] = []

    @task(payload=None)
    def work(ctx: SyncWorkerContext) -> None:
        with (
            pytest.raises(ConfigurationError, match="direct_database_url") as caught,
            ctx.transaction(),
        ):
            raise AssertionError
        said.append(str(caught.value))

    async with (
        asyncpg.create_pool(gw_database, min_size=0, max_size=6) as pool,
        WorkerOptions(database=pool, tasks=[work]).init() as worker,
    ):
        await worker.create_utils().add_job(work)
        await worker.run_once()
    assert said
