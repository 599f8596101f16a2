"""Databases over psycopg and over callers' pools and engines, in the hard moments."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, AsyncNullConnectionPool, ConnectionPool
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from support.roads import alchemy_url
from support.running import sql, until

from graphile_worker.database.executor import Database, SyncDatabase
from graphile_worker.database.statement import Statement
from graphile_worker.drivers import engine as engines
from graphile_worker.drivers import psycopg_connection, psycopg_opening, psycopg_pool
from graphile_worker.drivers.adopt import adopt, adopt_sync
from graphile_worker.drivers.connect import connect_sync
from graphile_worker.errors import (
    ConfigurationError,
    ConnectionLostError,
    DatabaseError,
    MissingDependencyError,
)

ONE: Statement[int] = Statement("one", "select $1::int", (1,), lambda rows: rows[0][0])


def ask(text: str, *args: object) -> Statement[Any]:
    """The first value of the first row."""
    return Statement("ask", text, args, lambda rows: rows[0][0] if rows else None)


@asynccontextmanager
async def over_pool(url: str, **options: Any) -> AsyncIterator[Database]:
    async with AsyncConnectionPool(url, min_size=0, max_size=3, open=False, **options) as pool:
        yield adopt(pool)


def over_engine(driver: str) -> Any:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Database]:
        engine = create_async_engine(alchemy_url(url, driver))
        yield adopt(engine)
        await engine.dispose()

    return opened


OPENERS = {
    "pool": over_pool,
    "engine-asyncpg": over_engine("asyncpg"),
    "engine-psycopg": over_engine("psycopg"),
}


@pytest.fixture(params=OPENERS)
async def database(request, gw_database: str) -> AsyncIterator[Database]:
    async with OPENERS[request.param](gw_database) as database:
        yield database


@pytest.fixture
async def admin(gw_database: str) -> AsyncIterator[asyncpg.Connection]:
    async with sql(gw_database) as connection:
        yield connection


def losses(connection: Any) -> list[str]:
    lost: list[str] = []
    connection.on_lost(lambda: lost.append("one"))
    connection.on_lost(lambda: lost.append("two"))
    return lost


async def true(holds: Any) -> bool:
    return bool(holds())


async def transact(connection: Any, *statements: Statement[Any]) -> None:
    async with connection.transaction():
        for statement in statements:
            await connection.run(statement)


def fail(_rows: object) -> None:
    raise FileNotFoundError


async def test_a_transaction_commits_or_rolls_back(database, admin):
    await admin.execute("create table public.things (n int)")
    insert = "insert into public.things values ($1::int)"
    async with database.connection() as connection:
        await transact(connection, ask(insert, 1))
        with pytest.raises(FileNotFoundError):
            await transact(connection, ask(insert, 2), Statement("x", "select 1", (), fail))
        with pytest.raises(DatabaseError) as caught:
            await transact(connection, ask(insert, 3), ask("select 1 / 0"))
        assert caught.value.sqlstate == "22012"
        assert await connection.run(ask("select array_agg(n) from public.things")) == [1]


async def test_a_commit_that_fails_is_an_error(database, admin):
    await admin.execute("create table public.late (n int unique deferrable initially deferred)")
    async with database.connection() as connection:
        with pytest.raises(DatabaseError) as caught:
            await transact(connection, ask("insert into public.late values (1), (1) returning 1"))
        assert caught.value.sqlstate == "23505"
        assert caught.value.constraint == "late_n_key"
        assert await connection.run(ask("select count(*) from public.late")) == 0


async def test_our_transactions_do_not_care_for_the_callers_settings(gw_database, admin):
    await admin.execute("create table public.things (n int)")
    await admin.execute("create schema evil; create table evil.things (n int)")
    hostile = (
        "-c search_path=evil -c default_transaction_isolation=serializable "
        "-c default_transaction_read_only=on -c lock_timeout=1"
    )
    opened = over_pool(gw_database, kwargs={"options": hostile})
    async with opened as database, database.connection() as connection:
        async with connection.transaction():
            shown = [
                await connection.run(ask(f"select pg_catalog.current_setting('{name}')"))
                for name in ("search_path", "transaction_isolation", "lock_timeout")
            ]
        assert shown == ["pg_catalog, pg_temp", "read committed", "0"]
        async with connection.transaction(lent=True):
            await connection.raw.execute("insert into things values (1)")
    assert await admin.fetchval("select count(*) from evil.things") == 1


async def test_a_script_is_several_statements_however_often_it_is_sent(database):
    async with database.connection() as connection:
        for _ in range(8):
            await connection.script("select '%'; select 2")
        with pytest.raises(DatabaseError, match="syntax error"):
            await connection.script("selekt")
        assert await connection.run(ONE) == 1


async def test_notifications_arrive_in_order_also_between_statements(database, admin):
    connection = await database.dedicated("listen")
    heard: list[str] = []
    await connection.listen('odd "channel"', heard.append)
    for n in range(3):
        await admin.execute("select pg_notify($1, $2)", 'odd "channel"', str(n))
        await until(lambda n=n: true(lambda: len(heard) == n + 1))
    await connection.run(ask("select pg_notify($1::text, '3')", 'odd "channel"'))
    await until(lambda: true(lambda: len(heard) == 4))
    await admin.execute("select pg_notify($1, '4')", 'odd "channel"')
    await until(lambda: true(lambda: len(heard) == 5))
    assert heard == ["0", "1", "2", "3", "4"]
    await connection.aclose()
    async with database.connection() as again:
        assert await again.run(ask("select count(*) from pg_listening_channels()")) == 0


async def test_a_lost_connection_is_told_once_to_each(database, admin):
    connection = await database.dedicated("claim")
    lost = losses(connection)
    pid = await connection.run(ask("select pg_backend_pid()"))
    await admin.execute("select pg_terminate_backend($1::int)", pid)
    await until(lambda: true(lambda: len(lost) == 2))
    with pytest.raises(ConnectionLostError):
        await connection.run(ONE)
    late = losses(connection)
    await until(lambda: true(lambda: len(late) == 2))
    await connection.aclose()
    await connection.aclose()
    assert (lost, late) == (["one", "two"], ["one", "two"])
    assert await database.run(ONE) == 1


async def test_a_connection_lost_in_a_transaction_is_a_lost_connection(database):
    async with database.connection() as connection:
        with pytest.raises(ConnectionLostError):
            await transact(connection, ask("select pg_terminate_backend(pg_backend_pid())"), ONE)
    assert await database.run(ONE) == 1


async def test_aborting_ends_what_waits_for_an_answer(database):
    connection = await database.dedicated("claim")
    lost = losses(connection)
    query = asyncio.create_task(connection.run(SLEEP))
    await asyncio.sleep(0)
    connection.abort()
    with pytest.raises(ConnectionLostError):
        await query
    await until(lambda: true(lambda: len(lost) == 2))
    with pytest.raises(ConnectionLostError):
        await connection.run(ONE)
    await connection.aclose()
    assert await database.run(ONE) == 1


async def test_an_idle_connection_that_was_aborted_does_not_go_back_to_the_pool(database):
    for _ in range(4):
        connection = await database.dedicated("claim")
        connection.abort()
        await connection.aclose()
    assert await database.run(ONE) == 1


SLEEP = ask("select pg_sleep(60)")


async def cancel_asleep(call: Any, admin: asyncpg.Connection) -> None:
    """Cancel what has reached the server: a cancellation that comes before it waits for its end."""
    asleep = """select count(*) from pg_stat_activity
                where datname = current_database() and wait_event = 'PgSleep'"""
    task = asyncio.create_task(call)
    await until(lambda: admin.fetchval(asleep))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_statement_leaves_a_usable_pool(database, admin):
    for _ in range(4):
        await cancel_asleep(database.run(SLEEP), admin)
    assert await database.run(ONE) == 1


async def test_a_cancelled_transaction_leaves_nothing_open(database, admin):
    async def work() -> None:
        async with database.connection() as connection:
            await transact(connection, SLEEP)

    await cancel_asleep(work(), admin)
    open_ones = """select count(*) from pg_stat_activity where datname = current_database()
                   and state like 'idle in transaction%'"""
    assert await admin.fetchval(open_ones) == 0
    assert await database.run(ONE) == 1


async def test_giving_up_on_waiting_for_a_connection_leaves_a_usable_pool(gw_database):
    async with over_pool(gw_database) as database:
        for _ in range(10):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.002):
                    await database.run(ONE)
        assert await database.run(ONE) == 1


async def test_closing_leaves_the_callers_pool_alone(database):
    await database.aclose()
    assert await database.run(ONE) == 1


async def test_a_process_that_forked_is_told_so(database, monkeypatch):
    connection = await database.dedicated("claim")
    process = os.getpid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process + 1)
        for call in (database.run(ONE), connection.run(ONE), database.dedicated("x")):
            with pytest.raises(ConfigurationError, match="after forking"):
                await call
        await connection.aclose()
    assert await connection.run(ONE) == 1
    await connection.aclose()


async def test_a_psycopg_pool_gets_its_autocommit_mode_back(gw_database):
    async with AsyncConnectionPool(gw_database, min_size=1, max_size=1, open=False) as pool:
        await adopt(pool).run(ONE)
        async with pool.connection() as raw:
            assert not raw.autocommit
    kwargs = {"autocommit": True}
    async with AsyncConnectionPool(
        gw_database, min_size=1, max_size=1, open=False, kwargs=kwargs
    ) as pool:
        await adopt(pool).run(ONE)
        async with pool.connection() as raw:
            assert raw.autocommit


async def test_a_pool_without_connections_of_its_own_works(gw_database):
    async with AsyncNullConnectionPool(gw_database, max_size=2, open=False) as pool:
        assert await adopt(pool).run(ONE) == 1


async def test_a_pool_that_has_none_left_says_so(gw_database, monkeypatch):
    monkeypatch.setattr(psycopg_pool, "ACQUIRE_SECONDS", 0.05)
    async with over_pool(gw_database) as database:
        held = [await database.dedicated("held") for _ in range(3)]
        with pytest.raises(DatabaseError, match="none of the 3 connections became free"):
            await database.run(ONE)
        for connection in held:
            await connection.aclose()
    with pytest.raises(ConnectionLostError, match="closed"):
        await database.run(ONE)


async def test_an_engine_that_has_none_left_says_so(gw_database):
    engine = create_async_engine(
        alchemy_url(gw_database, "asyncpg"), pool_size=1, max_overflow=0, pool_timeout=0.05
    )
    database = adopt(engine)
    held = await database.dedicated("held")
    with pytest.raises(DatabaseError, match="QueuePool limit"):
        await database.run(ONE)
    await held.aclose()
    await engine.dispose()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_an_engine_whose_server_is_away_or_refuses_says_so(gw_database, driver):
    away = create_async_engine(f"postgresql+{driver}://x@127.0.0.1:1/x")
    with pytest.raises(ConnectionLostError):
        await adopt(away).run(ONE)
    unknown = alchemy_url(gw_database, driver).replace("gw_test_", "gone_")
    with pytest.raises(DatabaseError, match="does not exist"):
        await adopt(create_async_engine(unknown)).run(ONE)


async def test_giving_back_over_a_dead_link_takes_a_bounded_time(gw_database, monkeypatch):
    monkeypatch.setattr(psycopg_connection, "CLOSE_SECONDS", 0.05)
    async with over_pool(gw_database) as database:
        connection = await database.dedicated("listen")
        await connection.listen("x", print)
        await connection.raw.lock.acquire()  # whoever holds it never answers
        await connection.aclose()
        assert await database.run(ONE) == 1


# -- without an event loop ---------------------------------------------------------------------


@pytest.fixture(params=["ours", "pooler", "pool", "engine"])
def sync_database(request, gw_database: str) -> Iterator[SyncDatabase]:
    if request.param in {"ours", "pooler"}:
        database = connect_sync(gw_database, prepared_statements=request.param == "ours")
        yield database
        database.close()
        database.close()
    elif request.param == "pool":
        with ConnectionPool(gw_database, min_size=0, max_size=3, open=True) as pool:
            yield adopt_sync(pool)
    else:
        engine = create_engine(alchemy_url(gw_database, "psycopg"))
        yield adopt_sync(engine)
        engine.dispose()


def transact_sync(connection: Any, *statements: Statement[Any], lent: bool = False) -> None:
    with connection.transaction(lent=lent):
        for statement in statements:
            connection.run(statement)


def test_a_sync_transaction_commits_or_rolls_back(sync_database):
    insert = "insert into public.things values ($1::int)"
    with sync_database.connection() as connection:
        connection.script("create table public.things (n int); select '%'")
        transact_sync(connection, ask(insert, 1))
        with pytest.raises(FileNotFoundError):
            transact_sync(connection, ask(insert, 2), Statement("x", "select 1", (), fail))
        with pytest.raises(DatabaseError, match="division"):
            transact_sync(connection, ask("select 1 / 0"))
        with connection.transaction(lent=True):
            assert connection.raw.execute("select n from things").fetchall() == [(1,)]
            assert connection.raw.execute("show search_path").fetchone() == ('"$user", public',)
    assert sync_database.run(ask("select array_agg(n) from public.things")) == [1]


def test_a_lost_sync_connection_is_replaced(sync_database):
    with pytest.raises(ConnectionLostError), sync_database.connection() as connection:
        transact_sync(connection, ask("select pg_terminate_backend(pg_backend_pid())"), ONE)
    with pytest.raises(ConnectionLostError):
        connection.run(ONE)
    assert sync_database.run(ONE) == 1


def test_many_threads_share_a_sync_database(sync_database):
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(sync_database.run(ONE) for _ in range(20)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1] * 120


def test_a_sync_database_is_not_carried_into_a_fork(sync_database, monkeypatch):
    process = os.getpid()
    with sync_database.connection() as connection, monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process + 1)
        for run in (sync_database.run, connection.run):
            with pytest.raises(ConfigurationError, match="after forking"):
                run(ONE)
        sync_database.close()
        connection.close()


def test_sessions_of_ours_are_set_up_as_the_asynchronous_ones(gw_database):
    database = connect_sync(gw_database)
    for name, value in (
        ("search_path", "pg_catalog, pg_temp"),
        ("TimeZone", "UTC"),
        ("statement_timeout", "0"),
        ("idle_session_timeout", "0"),
        ("application_name", "graphile-worker"),
    ):
        shown = ask("select pg_catalog.current_setting($1::text, true)", name)
        assert database.run(shown) in {value, None}
    database.close()


def test_an_idle_connection_that_the_server_ended_is_noticed(gw_database):
    database = connect_sync(gw_database, max_connections=1)
    pid = database.run(ask("select pg_backend_pid()"))
    with psycopg.connect(gw_database, autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(%s, 10000)", (pid,))
    assert database.run(ONE) == 1
    database.close()


def pids(database: SyncDatabase, number: int) -> set[int]:
    """The servers' processes behind so many connections at once."""
    with ExitStack() as stack:
        held = [stack.enter_context(database.connection()) for _ in range(number)]
        return {connection.run(ask("select pg_backend_pid()")) for connection in held}


def test_after_a_read_only_server_the_sync_pool_starts_anew(gw_database):
    database = connect_sync(gw_database, max_connections=3)
    before = pids(database, 3)
    assert pids(database, 3) == before
    with database.connection() as in_use:
        with pytest.raises(ConnectionLostError) as caught, database.connection() as connection:
            transact_sync(
                connection, ask("set transaction read only"), ask("create table public.never ()")
            )
        assert in_use.run(ONE) == 1
    assert caught.value.sqlstate == "25006"
    assert not pids(database, 3) & before
    database.close()


def test_closing_drops_what_is_in_use_after_a_while(gw_database, monkeypatch):
    monkeypatch.setattr(psycopg_opening, "CLOSE_SECONDS", 0.05)
    database = connect_sync(gw_database)
    with database.connection() as connection:
        database.close()
        with pytest.raises(ConnectionLostError):
            connection.run(ONE)
    with pytest.raises(ConnectionLostError, match="closed"):
        database.run(ONE)


def test_a_sync_connection_that_cannot_be_made_says_why(gw_database, monkeypatch):
    with pytest.raises(ConnectionLostError, match="refused"):
        connect_sync("postgres://x@127.0.0.1:1/x")
    with pytest.raises(DatabaseError, match="does not exist"):
        connect_sync(gw_database.replace("gw_test_", "gone_"))
    with pytest.raises(ConfigurationError, match="max_connections"):
        connect_sync(gw_database, max_connections=0)
    with pytest.raises(ConnectionLostError):
        adopt_sync(create_engine("postgresql+psycopg://x@127.0.0.1:1/x")).run(ONE)


def test_a_library_that_is_not_there_is_named(monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "graphile_worker.drivers.psycopg_opening")
    monkeypatch.setitem(sys.modules, "psycopg_pool", None)
    monkeypatch.delitem(sys.modules, "graphile_worker.drivers.psycopg_pool")
    with pytest.raises(MissingDependencyError, match=r"graphile-worker\[psycopg\]"):
        connect_sync("postgres://")


def test_all_time_limits_are_finite():
    assert engines.ACQUIRE_SECONDS + engines.CLOSE_SECONDS < 60
