"""`claim_mode="transaction"`: a claim is a row lock, and ends with its transaction."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from support.running import running, sql, until

from graphile_worker import (
    ConfigurationError,
    HookRegistry,
    JobComplete,
    JobFail,
    JobPermanentlyFail,
    JobSpec,
    LocalQueueConfig,
    Snooze,
    WorkerContext,
    WorkerOptions,
    task,
)
from graphile_worker.worker import transaction_claimer

MODE: dict[str, Any] = {"claim_mode": "transaction", "poll_interval": 0.05}
NO_BUFFER = {"local_queue": None}
BUFFER = {"local_queue": LocalQueueConfig(size=50)}


async def jobs_left(connection: asyncpg.Connection) -> int:
    return await connection.fetchval("select count(*) from graphile_worker._private_jobs")


async def is_empty(connection: asyncpg.Connection) -> bool:
    return await jobs_left(connection) == 0


async def add(connection: asyncpg.Connection, name: str, count: int) -> None:
    await connection.execute(
        "select graphile_worker.add_job($1, to_json(n)) from generate_series(1, $2) as n",
        name,
        count,
    )


@pytest.mark.parametrize("buffer", [NO_BUFFER, BUFFER], ids=["direct", "buffered"])
async def test_each_job_runs_once(gw_database: str, buffer: dict[str, Any]) -> None:
    ran: list[int] = []

    @task()
    async def work(number: int) -> None:
        ran.append(number)

    async with sql(gw_database) as connection:
        async with running(gw_database, tasks=[work], **MODE, **buffer) as worker:
            await add(connection, "work", 500)
            await until(lambda: is_empty(connection))
            assert worker.health().connected
        assert sorted(ran) == list(range(1, 501))


async def test_run_once_runs_what_jobs_add(gw_database: str) -> None:
    @task()
    async def count_down(number: int, ctx: WorkerContext) -> None:
        if number:
            await ctx.add_job(count_down, number - 1)

    options = WorkerOptions(database_url=gw_database, tasks=[count_down], **MODE)
    async with options.init() as worker:
        await worker.create_utils().add_job(count_down, 3)
        result = await worker.run_once()
    assert (result.completed, result.failed, result.retried) == (4, 0, 0)


async def test_nothing_is_written_while_a_job_runs(gw_database: str) -> None:
    started, may_end = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        assert ctx.job.attempts == 1
        started.set()
        await may_end.wait()

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[work], **MODE),
    ):
        await connection.execute("select graphile_worker.add_job('work')")
        await asyncio.wait_for(started.wait(), 15)
        row = await connection.fetchrow(
            "select attempts, locked_by, locked_at from graphile_worker._private_jobs"
        )
        assert tuple(row) == (0, None, None)
        free = await connection.fetch(
            "select from graphile_worker._private_jobs for update skip locked"
        )
        assert free == []
        may_end.set()
        await until(lambda: is_empty(connection))


async def test_a_failure_counts_its_attempt_and_is_retried(gw_database: str) -> None:
    @task(payload=None)
    async def work() -> None:
        raise ValueError("no")

    async with sql(gw_database) as connection, running(gw_database, tasks=[work], **MODE):
        await connection.execute("select graphile_worker.add_job('work')")

        async def failed() -> Any:
            return await connection.fetchrow(
                "select attempts, last_error, locked_by, run_at > now() as later "
                "from graphile_worker._private_jobs where last_error is not null"
            )

        row = await until(failed)
    assert (row["attempts"], row["locked_by"], row["later"]) == (1, None, True)
    assert "ValueError: no" in row["last_error"]


async def test_a_snoozed_job_keeps_its_attempts(gw_database: str) -> None:
    @task(payload=None)
    async def work() -> None:
        raise Snooze(timedelta(hours=1))

    async with sql(gw_database) as connection, running(gw_database, tasks=[work], **MODE):
        await connection.execute("select graphile_worker.add_job('work')")

        async def snoozed() -> Any:
            return await connection.fetchrow(
                "select attempts from graphile_worker._private_jobs "
                "where run_at > now() and locked_by is null"
            )

        assert tuple(await until(snoozed)) == (0,)


async def test_a_job_that_takes_long_is_locked_in_the_usual_way(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction_claimer, "OLDEST", 0.05)
    may_end = asyncio.Event()
    quick: list[int] = []

    @task(payload=None)
    async def long() -> None:
        await may_end.wait()

    @task()
    async def short(number: int) -> None:
        quick.append(number)

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[long, short], **MODE) as worker,
    ):
        await connection.execute("select graphile_worker.add_job('long')")
        await add(connection, "short", 3)

        async def locked() -> Any:
            return await connection.fetchrow(
                "select attempts, locked_by from graphile_worker._private_jobs "
                "where locked_by is not null"
            )

        assert tuple(await until(locked)) == (1, worker.worker_id)
        await until(lambda: one_left(connection))
        may_end.set()
        await until(lambda: is_empty(connection))
    assert sorted(quick) == [1, 2, 3]


async def test_a_look_for_lost_claims_leaves_a_job_that_runs_after_its_transaction(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction_claimer, "OLDEST", 0.05)
    started, may_end, long_may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def long() -> None:
        await long_may_end.wait()

    @task(payload=None)
    async def other() -> None:
        started.set()
        await may_end.wait()

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[long, other], **MODE) as worker,
    ):

        async def locked(task: str) -> bool:
            return await connection.fetchval(
                "select exists (select from graphile_worker.jobs "
                "where task_identifier = $1 and locked_by is not null)",
                task,
            )

        await connection.execute("select graphile_worker.add_job('long')")
        await until(lambda: locked("long"))
        monkeypatch.setattr(transaction_claimer, "OLDEST", 3600.0)
        await connection.execute("select graphile_worker.add_job('other')")
        await asyncio.wait_for(started.wait(), 15)
        # As if a claim of this worker had not been answered.
        await connection.execute("select graphile_worker.add_job('unheard')")
        await connection.execute(
            "update graphile_worker._private_jobs as j set locked_by = $1, locked_at = now() "
            "from graphile_worker._private_tasks as t "
            "where t.id = j.task_id and t.identifier = 'unheard'",
            worker.worker_id,
        )
        # A transaction that is lost is a reason to look for such claims.
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and state = 'idle in transaction'"
        )
        may_end.set()

        async def given_back() -> bool:
            return not await locked("unheard")

        await until(given_back)
        assert await locked("long")
        long_may_end.set()
        await until(lambda: one_left(connection))


async def one_left(connection: asyncpg.Connection) -> bool:
    return await jobs_left(connection) == 1


async def test_a_lost_transaction_frees_its_jobs_and_they_run_again(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    started: asyncio.Queue[int] = asyncio.Queue()
    may_end = asyncio.Event()

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        started.put_nowait(ctx.job.id)
        await may_end.wait()

    async with sql(gw_database) as connection, running(gw_database, tasks=[work], **MODE):
        await connection.execute("select graphile_worker.add_job('work')")
        first = await asyncio.wait_for(started.get(), 15)
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and state = 'idle in transaction'"
        )
        may_end.set()
        assert await asyncio.wait_for(started.get(), 15) == first
        await until(lambda: is_empty(connection))
    assert "which will run again" in caplog.text


async def test_a_shutdown_returns_what_waits_and_waits_for_what_runs(gw_database: str) -> None:
    started, may_end = asyncio.Event(), asyncio.Event()
    ran: list[int] = []

    @task()
    async def work(number: int) -> None:
        ran.append(number)
        started.set()
        await may_end.wait()

    async with sql(gw_database) as connection:
        await add(connection, "work", 20)
        async with running(gw_database, tasks=[work], concurrency=2, **MODE, **BUFFER) as worker:
            await asyncio.wait_for(started.wait(), 15)
            worker.request_shutdown()
            may_end.set()
        rows = await connection.fetch(
            "select attempts, locked_by, last_error from graphile_worker._private_jobs"
        )
    assert len(rows) == 20 - len(ran)
    assert {tuple(row) for row in rows} == {(0, None, None)}


async def test_a_job_that_a_shutdown_interrupts_keeps_its_attempts(gw_database: str) -> None:
    started = asyncio.Event()

    @task(payload=None)
    async def work() -> None:
        started.set()
        await asyncio.Event().wait()

    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('work')")
        async with running(gw_database, tasks=[work], shutdown_grace_period=0, **MODE):
            await asyncio.wait_for(started.wait(), 15)
        row = await connection.fetchrow(
            "select attempts, locked_by, run_at > now() as later from graphile_worker._private_jobs"
        )
    assert tuple(row) == (0, None, True)


async def test_events_tell_the_end_of_each_job_once(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of those that are locked in the usual way before they end."""
    monkeypatch.setattr(transaction_claimer, "OLDEST", 0.05)
    told: list[tuple[str, str]] = []
    may_end = asyncio.Event()

    @task()
    async def work(what: str) -> None:
        if what == "long":
            await may_end.wait()
        elif what == "bad":
            raise ValueError(what)

    hooks = HookRegistry()
    for kind in (JobComplete, JobFail, JobPermanentlyFail):

        def tell(event: JobComplete | JobFail | JobPermanentlyFail) -> None:
            told.append((type(event).__name__, event.job.payload))

        hooks.on(kind, tell)
    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[work], hooks=hooks, **MODE) as worker,
    ):
        utils = worker.create_utils()
        await utils.add_jobs([work.job(what) for what in ("good", "bad", "long")])
        await utils.add_job(work, "bad", JobSpec(max_attempts=1))

        async def all_but_one() -> bool:
            return len(told) == 3

        await until(all_but_one)
        locked = "select count(*) from graphile_worker._private_jobs where locked_by is not null"

        async def is_locked() -> bool:
            return await connection.fetchval(locked) == 1

        await until(is_locked)
        may_end.set()

        async def all_told() -> bool:
            return len(told) == 4

        await until(all_told)
    assert sorted(told) == [
        ("JobComplete", "good"),
        ("JobComplete", "long"),
        ("JobFail", "bad"),
        ("JobPermanentlyFail", "bad"),
    ]


async def test_jobs_of_named_queues_are_left_to_others(gw_database: str) -> None:
    ran: list[str] = []

    @task()
    async def work(name: str) -> None:
        ran.append(name)

    async with sql(gw_database) as connection:
        options = WorkerOptions(database_url=gw_database, tasks=[work], **MODE)
        async with options.init() as worker:
            utils = worker.create_utils()
            await utils.add_job(work, "queued", JobSpec(queue_name="q"))
            await utils.add_job(work, "free")
            await worker.run_once()
        assert ran == ["free"]
        assert await jobs_left(connection) == 1


async def test_the_job_of_a_row_lock_cannot_be_completed_by_its_handler(gw_database: str) -> None:
    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction():
            pass

    options = WorkerOptions(database_url=gw_database, tasks=[work], **MODE)
    async with options.init() as worker:
        await worker.create_utils().add_job(work)
        with pytest.raises(ExceptionGroup) as caught:
            await worker.run_once(raise_on_failure=True)
    assert "claim_mode='lock'" in str(caught.value.exceptions[0])


def test_other_modes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="claim_mode must be"):
        WorkerOptions(claim_mode="turbo")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="max_pg_conn must be at least 8"):
        WorkerOptions(claim_mode="transaction", max_pg_conn=6)


async def test_an_idle_worker_ends_at_once(gw_database: str) -> None:
    """No lane that waited for its turn claims once more, and then waits for its poll."""

    @task(payload=None)
    async def never() -> None: ...

    options = WorkerOptions(
        database_url=gw_database,
        tasks=[never],
        listen_os_shutdown_signals=False,
        **{**MODE, "poll_interval": timedelta(minutes=10)},
    )
    async with options.init() as worker:
        run = asyncio.create_task(worker.run())

        async def is_idle() -> bool:
            return worker.health().is_ready

        await until(is_idle)
        async with asyncio.timeout(4):  # the worker gives up on its services after five
            worker.request_shutdown()
            await run
