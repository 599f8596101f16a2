"""`ctx.transaction()`: a handler's writes and the completion of its job, together or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from support.relay import Relay
from support.running import running, sql, until

from graphile_worker import (
    JobLostError,
    JobSpec,
    JobState,
    RunResult,
    Snooze,
    WorkerContext,
    WorkerOptions,
    batch_task,
    task,
)

JOBS = "graphile_worker._private_jobs"


@pytest.fixture
async def ledger(gw_database: str) -> AsyncIterator[asyncpg.Connection]:
    async with sql(gw_database) as connection:
        await connection.execute("create table ledger (job bigint, what text default 'done')")
        yield connection


async def entries(ledger: asyncpg.Connection) -> list[tuple[int, str]]:
    return [tuple(row) for row in await ledger.fetch("select job, what from ledger order by 1, 2")]


async def write(connection: asyncpg.Connection, job: int) -> None:
    await connection.execute("insert into ledger (job) values ($1)", job)


async def run(url: str, handler: Any, *, spec: JobSpec | None = None) -> tuple[int, RunResult]:
    async with WorkerOptions(database_url=url, tasks=[handler]).init() as worker:
        job = await worker.create_utils().add_job(handler, None, spec)
        return job.id, await worker.run_once()


async def test_what_stands_on_the_path_of_the_handler_does_not_complete_its_job(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    await ledger.execute(
        "create function date_part(text, timestamptz) returns float8 language sql as 'select 0.0'"
    )

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            await connection.execute("set local search_path = public, pg_catalog")
            await write(connection, ctx.job.id)

    job_id, result = await run(gw_database, work)
    assert result == RunResult(completed=1, failed=0, retried=0)
    assert await entries(ledger) == [(job_id, "done")]


async def test_both_are_committed(gw_database: str, ledger: asyncpg.Connection) -> None:
    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            assert isinstance(connection, asyncpg.pool.PoolConnectionProxy | asyncpg.Connection)
            await write(connection, ctx.job.id)
            # Nobody sees either before the commit.
            assert await entries(ledger) == []
            assert await ledger.fetchval(f"select locked_by from {JOBS}") == ctx.worker_id
        assert await ledger.fetchval(f"select count(*) from {JOBS}") == 0

    job, result = await run(gw_database, work, spec=JobSpec(queue_name="q"))
    assert result == RunResult(completed=1)
    assert await entries(ledger) == [(job, "done")]
    queues = "select count(*) from graphile_worker._private_job_queues where locked_at is not null"
    assert await ledger.fetchval(queues) == 0


async def test_an_exception_rolls_back_and_is_a_failure(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            await write(connection, ctx.job.id)
            raise ValueError("no")

    _, result = await run(gw_database, work)
    assert result == RunResult(retried=1)
    assert await entries(ledger) == []
    row = await ledger.fetchrow(f"select * from {JOBS}")
    assert (row["attempts"], row["last_error"], row["locked_by"]) == (1, "ValueError: no", None)


async def test_a_statement_that_fails_rolls_back(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            await write(connection, ctx.job.id)
            with pytest.raises(asyncpg.UndefinedTableError):
                await connection.execute("select from nowhere")

    _, result = await run(gw_database, work)
    assert result == RunResult(retried=1)
    assert await entries(ledger) == []
    assert "current transaction is aborted" in await ledger.fetchval(
        f"select last_error from {JOBS}"
    )


async def test_snooze_rolls_back_and_snoozes(gw_database: str, ledger: asyncpg.Connection) -> None:
    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            await write(connection, ctx.job.id)
            raise Snooze(timedelta(hours=1))

    _, result = await run(gw_database, work)
    assert result == RunResult(retried=1)
    assert await entries(ledger) == []
    row = await ledger.fetchrow(f"select * from {JOBS}")
    assert (row["attempts"], row["last_error"], row["locked_by"]) == (0, None, None)


async def test_what_is_raised_after_the_commit_is_only_logged(
    gw_database: str, ledger: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            await write(connection, ctx.job.id)
        raise ValueError("too late")

    job, result = await run(gw_database, work)
    assert result == RunResult(completed=1)
    assert await entries(ledger) == [(job, "done")]
    assert f"job {job} (work) is done, and raised after its commit" in caplog.text
    assert "too late" in caplog.text


async def test_once_a_run(gw_database: str, ledger: asyncpg.Connection) -> None:
    refused: list[str] = []

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        with pytest.raises(ZeroDivisionError):
            async with ctx.transaction():
                raise ZeroDivisionError
        with pytest.raises(RuntimeError, match="once a run") as caught:
            async with ctx.transaction():
                raise AssertionError
        refused.append(str(caught.value))

    _, result = await run(gw_database, work)
    assert refused
    assert result == RunResult(completed=1)


async def test_not_in_batch_tasks(gw_database: str) -> None:
    refused: list[str] = []

    @batch_task
    async def work(items: list[int], ctx: WorkerContext) -> None:
        with pytest.raises(RuntimeError, match="batch task") as caught:
            async with ctx.transaction():
                raise AssertionError
        refused.append(str(caught.value))

    async with WorkerOptions(database_url=gw_database, tasks=[work]).init() as worker:
        await worker.create_utils().add_batch_job(work, [1])
        await worker.run_once()
    assert refused


async def test_jobs_added_inside_are_part_of_it(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    @task(payload=None)
    async def next_one() -> None: ...

    @task
    async def work(fails: bool, ctx: WorkerContext) -> None:
        async with ctx.transaction():
            await ctx.add_job(next_one, None, JobSpec(run_at=timedelta(hours=1)))
            await ctx.add_jobs(next_one, [None, None], JobSpec(run_at=timedelta(hours=1)))
            assert await ledger.fetchval(f"select count(*) from {JOBS}") == 1
            if fails:
                raise ValueError
        # Afterwards they are the pool's again.
        await ctx.add_job(next_one, None, JobSpec(run_at=timedelta(hours=1)))

    async with WorkerOptions(database_url=gw_database, tasks=[work, next_one]).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(work, True)
        await worker.run_once()
        assert [job.task_identifier for job in await utils.list_jobs()] == ["work"]
        await ledger.execute(f"delete from {JOBS}")
        await utils.add_job(work, False)
        await worker.run_once()
        assert [job.task_identifier for job in await utils.list_jobs()] == ["next_one"] * 4


async def test_a_job_that_was_lost_meanwhile_rolls_everything_back(
    gw_database: str, ledger: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    raised: list[BaseException] = []

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        try:
            async with ctx.transaction() as connection:
                await write(connection, ctx.job.id)
                # Swept, and claimed again by the same worker: only the time of the claim differs.
                await ledger.execute(f"update {JOBS} set locked_at = locked_at + interval '1 s'")
        except JobLostError as error:
            raised.append(error)
            raise

    async with WorkerOptions(database_url=gw_database, tasks=[work]).init() as worker:
        job = await worker.create_utils().add_job(work)
        result = await worker.run_once()
    assert [str(error) for error in raised]
    assert await entries(ledger) == []
    assert result == RunResult()
    row = await ledger.fetchrow(f"select * from {JOBS}")
    assert (row["attempts"], row["last_error"]) == (1, None)
    assert row["locked_by"] is not None
    assert f"job {job.id} is no longer held" in caplog.text
    assert "failed" not in caplog.text


async def test_a_sweep_does_not_wait_for_a_handler_in_its_transaction(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    """The job's row is not locked until the last statement, so a stopped holder blocks nobody."""
    swept = asyncio.Event()

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            await write(connection, ctx.job.id)
            await ledger.execute("set lock_timeout = '5s'")
            await ledger.execute(f"update {JOBS} set locked_by = 'other' where id = {ctx.job.id}")
            swept.set()

    await run(gw_database, work)
    assert swept.is_set()
    assert await entries(ledger) == []


async def test_a_handler_sees_the_settings_of_its_role(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    """`ledger` is found without its schema above; times are the role's, too."""
    await ledger.execute(
        """do $$ begin execute format('alter database %I set timezone to ''Asia/Tokyo''',
        current_database()); end $$"""
    )
    zones: list[str] = []

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            zones.append(await connection.fetchval("show timezone"))

    await run(gw_database, work)
    assert zones == ["Asia/Tokyo"]


async def test_interrupted_in_the_midst_nothing_remains(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    started = asyncio.Event()

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            await write(connection, ctx.job.id)
            started.set()
            await asyncio.Event().wait()

    async with running(gw_database, tasks=[work], shutdown_grace_period=0) as worker:
        await worker.create_utils().add_job(work)
        await asyncio.wait_for(started.wait(), 15)
    assert await entries(ledger) == []
    row = await ledger.fetchrow(f"select * from {JOBS}")
    assert (row["attempts"], row["locked_by"]) == (0, None)


async def test_a_queue_goes_on_without_a_poll(gw_database: str, ledger: asyncpg.Connection) -> None:
    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            await write(connection, ctx.job.id)

    async with running(gw_database, tasks=[work], poll_interval=timedelta(hours=1)) as worker:
        spec = JobSpec(queue_name="q")
        added = await worker.create_utils().add_jobs(work, [None] * 10, spec)

        async def all_done() -> bool:
            return len(await entries(ledger)) == len(added)

        await until(all_done)


async def test_transactions_that_hold_the_whole_pool_stop_no_part_of_the_worker(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    holding: asyncio.Queue[int] = asyncio.Queue()
    release, other_ran = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def hold(ctx: WorkerContext) -> None:
        async with ctx.transaction():
            holding.put_nowait(ctx.job.id)
            await release.wait()

    @task(payload=None)
    async def other() -> None:
        other_ran.set()

    async with running(
        gw_database,
        tasks=[hold, other],
        max_pg_conn=7,
        concurrency=8,
        heartbeat_interval=0.02,
        sweep_interval=0.1,
        sweep_threshold=5,
        poll_interval=0.02,
    ):
        for _ in range(4):
            await ledger.execute("select graphile_worker.add_job('hold')")
        for _ in range(2):
            await asyncio.wait_for(holding.get(), 15)
        await ledger.execute("select graphile_worker.add_job('other')")
        await asyncio.wait_for(other_ran.wait(), 15)
        workers = "select last_heartbeat_at from graphile_worker._private_workers"
        before = await ledger.fetchval(workers)

        async def beats() -> bool:
            return await ledger.fetchval(workers) > before

        await until(beats)
        await ledger.execute(
            "insert into graphile_worker._private_workers (id, last_heartbeat_at) "
            "values ('dead', now() - interval '1 day')"
        )

        async def swept() -> bool:
            return await ledger.fetchval(
                "select count(*) = 1 from graphile_worker._private_workers"
            )

        await until(swept)
        release.set()

        async def empty() -> bool:
            return not await ledger.fetchval(f"select count(*) from {JOBS}")

        await until(empty)


async def test_a_connection_lost_before_the_commit_is_a_failure(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            await write(connection, ctx.job.id)
            process = await connection.fetchval("select pg_backend_pid()")
            await ledger.fetchval("select pg_terminate_backend($1)", process)

    async with WorkerOptions(database_url=gw_database, tasks=[work]).init() as worker:
        utils = worker.create_utils()
        added = await utils.add_job(work)
        assert (await worker.run_once()).retried == 1
        job = await utils.get_job(added.id)
    assert job is not None
    assert (job.state, job.attempts) == (JobState.SCHEDULED, 1)
    assert await entries(ledger) == []


async def test_a_link_that_dies_in_the_midst_costs_the_run_its_timeout_and_no_more(
    gw_database: str, ledger: asyncpg.Connection
) -> None:
    """Neither the rollback nor giving the connection back may wait for a server that is gone."""
    query = parse_qs(urlsplit(gw_database).query)
    socket = Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")
    started = asyncio.Event()

    async with Relay(socket) as relay:

        @task(payload=None, timeout=0.5)
        async def work(ctx: WorkerContext) -> None:
            async with ctx.transaction() as connection:
                await write(connection, ctx.job.id)
                if ctx.job.attempts == 1:
                    relay.freeze()
                started.set()
                await write(connection, ctx.job.id)

        url = f"postgresql://postgres@127.0.0.1:{relay.port}/{urlsplit(gw_database).path[1:]}"
        async with running(url, tasks=[work], poll_interval=0.05) as worker:
            await ledger.execute("select graphile_worker.add_job('work')")
            await asyncio.wait_for(started.wait(), 15)

            async def ended() -> bool:
                return not worker.health().running

            await until(ended)
            relay.thaw()
            row = await until(
                lambda: ledger.fetchrow(f"select * from {JOBS} where locked_by is null")
            )
    assert row["last_error"] == "TimeoutError: 0.5 s"
    assert await entries(ledger) == []
