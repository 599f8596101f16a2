"""Behind a PgBouncer in transaction mode, with prepared statements off."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import NullPool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from support.pgbouncer import PROGRAM, pgbouncer
from support.roads import ROADS, Alchemy, Asyncpg, Psycopg, alchemy_url
from support.running import running, sql, until

from graphile_worker import Worker, task
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.adopt import adopt
from graphile_worker.drivers.borrowed import sync_executor_for
from graphile_worker.drivers.connect import connect, connect_sync
from graphile_worker.errors import DatabaseError
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import JobSpec
from graphile_worker.queries.add_jobs import add_job
from graphile_worker.queries.manage_jobs import stats

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer on this machine"),
]

SCHEMA = Schema("graphile_worker")
CLIENTS, EACH = 8, 25


@pytest.fixture
def pooled(gw_database: str) -> Iterator[str]:
    """Two connections to the server for all clients: they change hands all the time."""
    with pgbouncer(gw_database) as url:
        yield url


def adding(n: int = 0) -> Any:
    return add_job(SCHEMA, NewJob("work", f'{{"n": {n}}}', JobSpec(flags=["a"])))


async def added(url: str) -> int:
    async with sql(url) as connection:
        return await connection.fetchval("select count(*) from graphile_worker._private_jobs")


async def add_many(run: Any) -> None:
    """Other statements in between, so that a mixed-up answer shows."""
    for n in range(EACH):
        job = await run(adding(n))
        assert job.payload == {"n": n}
        assert (await run(stats(SCHEMA))).total > 0


async def test_our_own_pool_adds_from_many_clients(gw_database, pooled):
    databases = [
        await connect(pooled, max_connections=2, prepared_statements=False) for _ in range(CLIENTS)
    ]
    await asyncio.gather(*(add_many(database.run) for database in databases))
    for database in databases:
        await database.aclose()
    assert await added(gw_database) == CLIENTS * EACH


async def test_our_own_sync_pool_adds_from_many_threads(gw_database, pooled):
    database = connect_sync(pooled, max_connections=CLIENTS, prepared_statements=False)

    async def run(statement: Any) -> Any:
        return await asyncio.to_thread(database.run, statement)

    await asyncio.gather(*(add_many(run) for _ in range(CLIENTS)))
    with database.connection() as connection, connection.transaction():
        connection.run(adding())
    await asyncio.to_thread(database.close)
    assert await added(gw_database) == CLIENTS * EACH + 1


async def test_settings_that_the_pooler_refuses_are_explained(pooled):
    with pytest.raises(DatabaseError, match="prepared_statements=False"):
        await connect(pooled)
    with pytest.raises(DatabaseError, match="prepared_statements=False"):
        connect_sync(pooled)


async def test_callers_connections_add_in_their_transactions(gw_database, pooled):
    roads: list[Any] = [
        Asyncpg(await asyncpg.connect(pooled, statement_cache_size=0)),
        Psycopg(await psycopg.AsyncConnection.connect(pooled, prepare_threshold=None)),
    ]
    engines = [
        create_async_engine(
            alchemy_url(pooled, "asyncpg"),
            poolclass=NullPool,
            connect_args={
                "statement_cache_size": 0,
                "prepared_statement_cache_size": 0,
                "prepared_statement_name_func": lambda: f"__asyncpg_{uuid4()}__",
            },
        ),
        create_async_engine(
            alchemy_url(pooled, "psycopg"),
            poolclass=NullPool,
            connect_args={"prepare_threshold": None},
        ),
    ]
    roads += [Alchemy(AsyncSession(engine)) for engine in engines]
    for road in roads:
        for _ in range(7):  # more often than psycopg waits before it prepares a statement
            await road.begin()
            await road.run(adding())
            await road.commit()
        await road.begin()
        await road.run(adding())
        await road.rollback()
        await road.close()
    async with ROADS["django"](pooled) as road:
        for _ in range(7):
            await road.begin()
            await road.run(adding())
            await road.commit()
        await road.run(adding())
    engine = create_engine(alchemy_url(pooled, "psycopg"), connect_args={"prepare_threshold": None})
    with engine.begin() as connection:
        sync_executor_for(connection).run(adding())
    engine.dispose()
    assert await added(gw_database) == 7 * len(roads) + 8 + 1


async def test_an_adopted_pool_adds_from_many_clients(gw_database, pooled):
    async with AsyncConnectionPool(
        pooled, min_size=0, max_size=CLIENTS, open=False, kwargs={"prepare_threshold": None}
    ) as pool:
        database = adopt(pool)
        await asyncio.gather(*(add_many(database.run) for _ in range(CLIENTS)))
    assert await added(gw_database) == CLIENTS * EACH


@task(payload=None)
async def work() -> None:
    pass


async def is_done(url: str) -> bool:
    return await added(url) == 0


async def is_listening(worker: Worker) -> bool:
    return worker.health().listening is True


async def test_a_worker_polls_through_it(gw_database, pooled):
    options = {"prepared_statements": False, "use_notification_delivery": False}
    async with running(pooled, tasks=[work], poll_interval=0.05, **options) as worker:
        await worker.create_utils().add_jobs([work.job(None) for _ in range(100)])
        await until(lambda: is_done(gw_database))


async def test_a_worker_listens_past_it(gw_database, pooled):
    options = {"prepared_statements": False, "direct_database_url": gw_database}
    async with (
        sql(gw_database) as admin,
        running(pooled, tasks=[work], poll_interval=3600, **options) as worker,
    ):
        await until(lambda: is_listening(worker))
        for _ in range(3):
            await admin.execute("select graphile_worker.add_job('work')")
            await until(lambda: is_done(gw_database))
