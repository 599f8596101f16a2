"""A whole worker on a pool or engine of the caller's, whatever its driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import create_async_engine
from support.roads import alchemy_url
from support.running import running, sql, until

from graphile_worker import WorkerContext, task

LISTENS = """select count(*) from pg_stat_activity where datname = current_database()
             and query like 'select pg_catalog.pg_notify(%'"""
"""The worker's notification to itself is the last thing that it sends where it listens."""
KILL = """select count(pg_terminate_backend(pid)) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()"""


@asynccontextmanager
async def asyncpg_pool(url: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(url, min_size=0, max_size=5) as pool:
        yield pool


@asynccontextmanager
async def psycopg_pool(url: str) -> AsyncIterator[Any]:
    async with AsyncConnectionPool(url, min_size=1, max_size=5, open=False) as pool:
        yield pool


def engine(driver: str) -> Any:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Any]:
        engine = create_async_engine(alchemy_url(url, driver))
        yield engine
        await engine.dispose()

    return opened


POOLS = {
    "asyncpg": asyncpg_pool,
    "psycopg": psycopg_pool,
    "engine-asyncpg": engine("asyncpg"),
    "engine-psycopg": engine("psycopg"),
}


@pytest.fixture(params=POOLS)
async def pool(request, gw_database: str) -> AsyncIterator[Any]:
    async with POOLS[request.param](gw_database) as pool:
        yield pool


@pytest.fixture
async def admin(gw_database: str) -> AsyncIterator[Any]:
    async with sql(gw_database) as connection:
        yield connection


async def jobs_left(admin: Any) -> int:
    return await admin.fetchval("select count(*) from graphile_worker._private_jobs")


async def is_listening(admin: Any) -> bool:
    return await admin.fetchval(LISTENS) > 0


@task(payload=None)
async def work() -> None:
    pass


async def test_jobs_run_and_failures_are_tried_again(pool, admin):
    attempts: list[int] = []

    @task(payload=None, backoff=lambda _attempt: timedelta(0))
    async def fails_once(ctx: WorkerContext) -> None:
        attempts.append(ctx.job.attempts)
        if ctx.job.attempts == 1:
            raise ValueError("once")

    options = {"tasks": [work, fails_once], "poll_interval": 0.05}
    async with running(None, database=pool, **options) as worker:
        utils = worker.create_utils()
        await utils.add_jobs([fails_once.job(None), *(work.job(None) for _ in range(50))])
        await until(lambda: is_empty(admin))
    assert attempts == [1, 2]


async def is_empty(admin: Any) -> bool:
    return not await jobs_left(admin)


async def test_an_idle_worker_is_woken_by_a_notification(pool, admin):
    async with running(None, database=pool, tasks=[work], poll_interval=3600):
        await until(lambda: is_listening(admin))
        for _ in range(3):
            await admin.execute("select graphile_worker.add_job('work')")
            await until(lambda: is_empty(admin))


async def test_lost_connections_are_survived(pool, admin):
    async with running(None, database=pool, tasks=[work], poll_interval=0.05):
        for _ in range(2):
            await until(lambda: is_listening(admin))
            await admin.execute(KILL)
            await admin.execute("select graphile_worker.add_job('work')")
            await until(lambda: is_empty(admin))
        await until(lambda: is_listening(admin))


async def test_the_pool_gets_its_connections_back_as_they_were(pool, admin):
    async with running(None, database=pool, tasks=[work], poll_interval=0.05) as worker:
        await worker.create_utils().add_job(work)
        await until(lambda: is_listening(admin))
        await until(lambda: is_empty(admin))
    facts = await asyncio.gather(*(ask_one(pool) for _ in range(4)))
    assert facts == [(0, '"$user", public', False)] * 4


async def ask_one(pool: Any) -> tuple[int, str, bool]:
    """What listens, the search path, and whether a session is in autocommit mode now."""
    text = "select (select count(*) from pg_listening_channels()), current_setting('search_path')"
    kind = type(pool).__name__
    if kind == "Pool":
        async with pool.acquire() as connection:
            row = await connection.fetchrow(text)
            return row[0], row[1], False
    if kind == "AsyncConnectionPool":
        async with pool.connection() as connection:
            row = await (await connection.execute(text)).fetchone()
            return row[0], row[1], connection.autocommit
    async with pool.connect() as connection:
        row = (await connection.exec_driver_sql(text)).fetchone()
        raw = (await connection.get_raw_connection()).driver_connection
        return row[0], row[1], getattr(raw, "autocommit", False)


async def insert(connection: Any, n: int, *, fails: bool = False) -> None:
    async with connection.transaction(lent=True):
        await connection.raw.execute(f"insert into things values ({n})")
        if fails:
            raise ZeroDivisionError


async def test_a_handler_gets_the_drivers_own_connection_in_a_transaction(pool, admin):
    await admin.execute("create table public.things (n int)")
    kinds: list[str] = []

    @task(payload=None)
    async def handler(ctx: WorkerContext) -> None:
        async with ctx.database.connection() as connection:
            kinds.append(type(connection.raw).__module__.partition(".")[0])
            await insert(connection, 1)
            with pytest.raises(ZeroDivisionError):
                await insert(connection, 2, fails=True)

    async with running(None, database=pool, tasks=[handler], poll_interval=0.05) as worker:
        await worker.create_utils().add_job(handler)
        await until(lambda: is_empty(admin))
    assert kinds[0] in {"asyncpg", "psycopg"}
    assert await admin.fetchval("select array_agg(n) from public.things") == [1]


async def test_a_handlers_writes_and_its_completion_are_one_transaction(pool, admin):
    await admin.execute("create table public.things (n int)")

    @task(payload=None, backoff=lambda _attempt: timedelta(0))
    async def handler(ctx: WorkerContext) -> None:
        async with ctx.transaction() as connection:
            await connection.execute(f"insert into things values ({ctx.job.attempts})")
            await ctx.add_jobs([work.job(None), work.job(None)])
            if ctx.job.attempts == 1:
                raise ValueError("rolls back")

    async with running(None, database=pool, tasks=[handler, work], poll_interval=0.05) as worker:
        await worker.create_utils().add_job(handler)
        await until(lambda: is_empty(admin))
    assert await admin.fetchval("select array_agg(n) from public.things") == [2]


async def test_run_once_works_too(pool, admin):
    from graphile_worker import WorkerOptions

    async with WorkerOptions(database=pool, tasks=[work]).init() as worker:
        await worker.create_utils().add_jobs([work.job(None) for _ in range(3)])
        assert (await worker.run_once()).completed == 3
