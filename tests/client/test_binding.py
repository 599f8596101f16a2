"""What a client can stand on, and what it says where it cannot."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import psycopg
import psycopg_pool
import pytest
from support.blocked_sessions import until_somebody_waits
from support.running import running, sql, until

from graphile_worker import (
    ConfigurationError,
    DatabaseError,
    JobSpec,
    SyncWorkerUtils,
    WorkerContext,
    WorkerUtils,
    task,
    task_ref,
)

number = task_ref("number", int)


async def total(url: str) -> int:
    async with sql(url) as connection:
        return await connection.fetchval("select count(*) from graphile_worker._private_jobs")


@pytest.mark.parametrize("thing", [3, None, "postgresql://localhost/db", object()])
@pytest.mark.parametrize("kind", [WorkerUtils, SyncWorkerUtils])
def test_something_else_is_told_what_would_do(kind: type[Any], thing: object) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot send statements .*As a pool:") as caught:
        kind(thing)
    assert type(thing).__qualname__ in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_the_wrong_colour_is_told_the_right_one(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        with pytest.raises(ConfigurationError, match="use WorkerUtils"):
            SyncWorkerUtils(connection)
    with psycopg.connect(gw_database) as sync_connection:
        with pytest.raises(ConfigurationError, match="use SyncWorkerUtils"):
            WorkerUtils(sync_connection)
        async with WorkerUtils.connect(gw_database) as utils:
            with pytest.raises(ConfigurationError, match="use SyncWorkerUtils"):
                utils.with_executor(sync_connection)
    pool = psycopg_pool.ConnectionPool(gw_database, open=False)
    with pytest.raises(ConfigurationError, match="as SyncWorkerUtils does"):
        WorkerUtils(pool)


async def test_with_executor_binds_the_schema_and_the_options(empty_database: str) -> None:
    async with asyncpg.create_pool(empty_database, min_size=0) as pool:
        utils = WorkerUtils(pool, schema="mine", use_local_time=True)
        await utils.migrate()
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            bound = utils.with_executor(connection)
            assert bound.schema == "mine"
            job = await bound.add_job(number, 1)
            assert job.run_at != job.created_at  # this process's time
            assert (await utils.stats()).total == 0
            await transaction.commit()
        assert (await utils.stats()).total == 1
        await bound.aclose()
        assert (await utils.stats()).total == 1


async def test_closing_bound_utils_closes_nothing(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        await utils.with_executor(connection).aclose()
        await WorkerUtils(connection).aclose()
        assert await connection.fetchval("select 1") == 1
        assert (await utils.stats()).total == 0


async def test_bound_to_a_pool_it_is_still_the_callers(gw_database: str) -> None:
    async with (
        WorkerUtils.connect(gw_database) as utils,
        asyncpg.create_pool(gw_database, min_size=0) as pool,
    ):
        bound = utils.with_executor(pool)
        assert len(await bound.add_jobs(number, range(3))) == 3
        with pytest.raises(ConfigurationError, match="cleanup makes transactions of its own"):
            await bound.cleanup()
        with pytest.raises(ConfigurationError, match="migrate makes transactions of its own"):
            await bound.migrate()


async def test_a_handler_can_add_in_its_own_transaction(gw_database: str) -> None:
    added = asyncio.Event()

    @task(payload=None)
    async def parent(ctx: WorkerContext) -> None:
        async with sql(gw_database) as connection, connection.transaction():
            await ctx.utils.with_executor(connection).add_raw_job("child")
        added.set()

    async with running(gw_database, tasks=[parent]) as worker:
        utils = worker.create_utils()
        await utils.add_job(parent)
        async with asyncio.timeout(15):
            await added.wait()

        async def only_the_child_is_left() -> bool:
            return [job.task_identifier for job in await utils.list_jobs()] == ["child"]

        await until(only_the_child_is_left)


async def test_a_closed_connection_is_the_callers_error(gw_database: str) -> None:
    connection = await asyncpg.connect(gw_database)
    bound = WorkerUtils(connection)
    await connection.close()
    with pytest.raises(asyncpg.InterfaceError, match="closed") as caught:
        await bound.add_job(number, 1)
    assert any("add_job" in note for note in caught.value.__notes__)
    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await bound.add_jobs(number, [1])


async def test_a_failed_transaction_stays_the_callers(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        bound = WorkerUtils(connection)
        transaction = connection.transaction()
        await transaction.start()
        await bound.add_job(number, 1)
        savepoint = connection.transaction()
        await savepoint.start()
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.execute("select 1 / 0")
        for call in (
            lambda: bound.add_job(number, 2),
            lambda: bound.add_jobs(number, [3]),
            lambda: bound.complete_jobs([1]),
            bound.stats,
        ):
            with pytest.raises(asyncpg.InFailedSQLTransactionError) as caught:
                await call()
            assert caught.value.__notes__
        await savepoint.rollback()
        await bound.add_job(number, 4)
        await transaction.commit()
    async with WorkerUtils.connect(gw_database) as utils:
        assert [job.payload for job in await utils.list_jobs()] == [1, 4]


async def test_our_refusal_leaves_the_transaction_as_it_was(gw_database: str) -> None:
    """What is refused before it is sent does no harm to the caller's transaction."""
    async with sql(gw_database) as connection, connection.transaction():
        bound = WorkerUtils(connection)
        with pytest.raises(ConfigurationError):
            await bound.reschedule_jobs([1])
        with pytest.raises(ConfigurationError):
            await bound.cleanup()
        await bound.add_job(number, 1)
    assert await total(gw_database) == 1


async def test_on_our_own_connections_errors_are_ours(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        await connection.execute("drop schema graphile_worker cascade")
        with pytest.raises(DatabaseError):
            await utils.add_job(number, 1)
        with pytest.raises(asyncpg.InvalidSchemaNameError):
            await utils.with_executor(connection).add_job(number, 1)


def test_another_event_loop_is_a_clear_error(gw_database: str) -> None:
    async def opened() -> WorkerUtils:
        utils = await WorkerUtils.connect(gw_database)
        await utils.stats()
        return utils

    async def use(utils: WorkerUtils) -> None:
        with pytest.raises(ConfigurationError, match="another event loop"):
            await utils.add_job(number, 1)
        with pytest.raises(ConfigurationError, match="another event loop"):
            await utils.add_jobs(number, [1])

    first = asyncio.new_event_loop()
    try:
        utils = first.run_until_complete(opened())
        asyncio.run(use(utils))
        first.run_until_complete(utils.add_job(number, 1))
        first.run_until_complete(utils.aclose())
    finally:
        first.close()


def test_a_connection_of_another_event_loop_is_a_clear_error(gw_database: str) -> None:
    async def use(connection: asyncpg.Connection) -> None:
        with pytest.raises(ConfigurationError, match="another event loop"):
            await WorkerUtils(connection).add_job(number, 1)

    first = asyncio.new_event_loop()
    try:
        connection = first.run_until_complete(asyncpg.connect(gw_database))
        asyncio.run(use(connection))
        first.run_until_complete(WorkerUtils(connection).add_job(number, 1))
        first.run_until_complete(connection.close())
    finally:
        first.close()


async def test_of_two_transactions_with_one_key_the_second_changes_the_job(
    gw_database: str,
) -> None:
    async with sql(gw_database) as one, sql(gw_database) as two:
        transaction = one.transaction()
        await transaction.start()
        job = await WorkerUtils(one).add_job(number, 1, JobSpec(job_key="k"))
        second = WorkerUtils(two).add_job(number, 2, JobSpec(job_key="k"))
        waiting = asyncio.create_task(second)
        await until_somebody_waits(one)
        await transaction.commit()
        changed = await waiting
    assert (changed.id, changed.payload, changed.revision) == (job.id, 2, 1)
