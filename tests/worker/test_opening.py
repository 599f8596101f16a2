"""`WorkerOptions.init`: whose connections, which rights."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from support.blocked_sessions import until_somebody_waits
from support.running import running, sql, until

from graphile_worker import ConnectionLostError, DatabaseError, Worker, WorkerOptions, task


@task(payload=None)
async def work() -> None: ...


async def test_it_migrates_an_empty_database(empty_database: str) -> None:
    async with WorkerOptions(database_url=empty_database, tasks=[work]).init() as worker:
        await worker.create_utils().add_job(work)
        assert (await worker.run_once()).completed == 1


async def test_a_pool_of_the_callers_is_used_and_left_open(gw_database: str) -> None:
    async with asyncpg.create_pool(gw_database, min_size=0, max_size=5) as pool:
        async with WorkerOptions(database=pool, tasks=[work]).init() as worker:
            await worker.create_utils().add_jobs(work, [None] * 10)
            assert (await worker.run_once()).completed == 10
        assert await pool.fetchval("select count(*) from graphile_worker._private_jobs") == 0
        assert pool.get_size() == pool.get_idle_size()


async def test_without_prepared_statements(gw_database: str) -> None:
    options = WorkerOptions(database_url=gw_database, tasks=[work], prepared_statements=False)
    async with options.init() as worker:
        await worker.create_utils().add_jobs(work, [None] * 10)
        assert (await worker.run_once()).completed == 10


async def test_listen_can_take_another_way(gw_database: str) -> None:
    options = WorkerOptions(database_url=gw_database, direct_database_url=gw_database, tasks=[work])
    async with options.init() as worker:
        await worker.create_utils().add_job(work)
        assert (await worker.run_once()).completed == 1


async def test_a_role_that_row_security_makes_blind_is_refused(gw_database: str) -> None:
    async with sql(gw_database) as owner:
        role = "blind_" + (await owner.fetchval("select current_database()"))
        await owner.execute(
            f"""
            create role {role} login;
            grant usage on schema graphile_worker to {role};
            grant all on all tables in schema graphile_worker to {role};
            """
        )
        try:
            url = gw_database.replace("postgres@", f"{role}@")
            with pytest.raises(DatabaseError, match=role) as caught:
                await WorkerOptions(database_url=url, tasks=[work]).init()
        finally:
            await owner.execute(f"drop owned by {role}; drop role {role}")
    text = str(caught.value)
    assert "grant" in text or "bypassrls" in text
    assert "\n" not in text


async def test_worker_ids_are_distinct_and_recognisable(gw_database: str) -> None:
    options = WorkerOptions(database_url=gw_database, tasks=[work])
    async with options.init() as one, options.init() as two:
        assert one.worker_id != two.worker_id
        assert one.worker_id.startswith("graphile_worker_")
        assert len(one.worker_id) == len("graphile_worker_") + 18


async def cut_while_it_starts(url: str, wait: timedelta | None) -> Worker:
    """Its connections are lost in the midst of the registration of its tasks."""
    options = WorkerOptions(database_url=url, tasks=[work], wait_for_database=wait)
    async with sql(url) as connection:
        async with connection.transaction():
            await connection.execute("lock table graphile_worker._private_tasks")
            opening = asyncio.ensure_future(options.init())
            await until_somebody_waits(connection)
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and application_name like 'graphile-worker%'"
            )
        return await asyncio.wait_for(opening, 15)


async def test_a_connection_lost_while_it_starts_is_an_error_that_says_so(
    gw_database: str,
) -> None:
    with pytest.raises(ConnectionLostError, match=r"lost while the worker started: .*wait_for"):
        await cut_while_it_starts(gw_database, None)


async def test_a_connection_lost_while_it_starts_is_opened_again_if_it_may_wait(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = await cut_while_it_starts(gw_database, timedelta(seconds=15))
    try:
        await worker.create_utils().add_job(work)
        assert (await worker.run_once()).completed == 1
    finally:
        await worker.aclose()
    assert "waiting for PostgreSQL" in caplog.text
    async with sql(gw_database) as connection:
        left = await connection.fetchval(
            "select count(*) from pg_stat_activity where application_name like 'graphile-worker%' "
            "and datname = current_database()"
        )
    assert left == 0, "neither attempt left a connection behind"


async def test_a_worker_keeps_four_connections_of_a_pool_from_the_start(gw_database: str) -> None:
    """Before the first job has ended: by then its handlers may hold all others."""
    async with (
        asyncpg.create_pool(gw_database, min_size=0, max_size=5) as pool,
        running(None, database=pool, tasks=[work]),
    ):

        async def four_are_kept() -> bool:
            return bool(pool.get_size() - pool.get_idle_size() == 4)

        await until(four_are_kept)
