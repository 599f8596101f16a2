from __future__ import annotations

import asyncio
import socket as sockets
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from graphile_worker.database.executor import Database
from graphile_worker.database.statement import Statement
from graphile_worker.drivers import asyncpg as ours
from graphile_worker.drivers import asyncpg_connection
from graphile_worker.drivers.asyncpg import AsyncpgDatabase
from graphile_worker.drivers.asyncpg_connection import AsyncpgConnection
from graphile_worker.drivers.connect import connect
from graphile_worker.errors import ConnectionLostError, DatabaseError

pytestmark = pytest.mark.usefixtures("no_environment")

KILL_OTHERS = """select count(pg_terminate_backend(pid)) from pg_stat_activity
                 where pid <> pg_backend_pid() and application_name like 'graphile-worker%'"""


def ask(sql: str, *args: object) -> Statement[object]:
    """The first value of the first row."""
    return Statement("ask", sql, args, lambda rows: rows[0][0] if rows else None)


def setting(name: str) -> Statement[object]:
    return ask("select pg_catalog.current_setting($1::text)", name)


@pytest.fixture
async def admin(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = await connect(url, max_connections=3)
    yield database
    await database.aclose()


@pytest.fixture
async def pool(url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(url, min_size=0, max_size=2) as pool:
        yield pool


@pytest.fixture(params=["ours", "pooler", "caller's"])
async def any_database(request, url: str, pool: asyncpg.Pool) -> AsyncIterator[Database]:
    """One database of each kind."""
    if request.param == "caller's":
        yield AsyncpgDatabase.over_pool(pool)
        return
    database = await connect(url, max_connections=2, prepared_statements=request.param == "ours")
    yield database
    await database.aclose()


async def test_statements_run_by_every_road(any_database):
    one = ask("select $1::int + 1", 1)
    assert await any_database.run(one) == 2
    async with any_database.connection() as connection:
        assert await connection.run(one) == 2
        async with connection.transaction():
            assert await connection.run(one) == 2
    connection = await any_database.dedicated("mine")
    assert await connection.run(one) == 2
    await connection.script("select 1; select 2")
    await connection.aclose()
    await connection.aclose()
    assert await any_database.run(one) == 2


async def test_values_cross_as_the_port_promises(any_database):
    at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    row = await any_database.run(
        Statement(
            "values",
            """select $1::text::json, $1::text::jsonb, $2::timestamptz, $3::interval, $4::int[],
                      $5::text[], $6::bool, $7::float8, $8::bigint, $9::text""",
            ('{"a": [1]}', at, timedelta(minutes=5), [1, 2], ["a", None], True, 1.5, 1 << 40, None),
            lambda rows: list(rows[0]),
        )
    )
    assert row == [
        '{"a": [1]}',
        '{"a": [1]}',
        at,
        timedelta(minutes=5),
        [1, 2],
        ["a", None],
        True,
        1.5,
        1 << 40,
        None,
    ]
    assert row[2].utcoffset() == timedelta(0)


async def test_errors_of_the_server_are_ours(any_database):
    with pytest.raises(DatabaseError, match='relation "nope" does not exist') as caught:
        await any_database.run(ask("select * from nope"))
    assert caught.value.sqlstate == "42P01"
    assert isinstance(caught.value.__cause__, asyncpg.PostgresError)
    async with any_database.connection() as connection:
        with pytest.raises(DatabaseError, match="syntax error"):
            await connection.script("selekt")
        with pytest.raises(DatabaseError, match="invalid input for query argument"):
            await connection.run(ask("select $1::int", "text"))


async def test_a_violated_constraint_is_named_and_its_row_is_not(any_database):
    async with any_database.connection() as connection:
        await connection.script("create temp table t (v text constraint short check (v < 'm'))")
        with pytest.raises(DatabaseError, match="short") as caught:
            await connection.run(ask("insert into pg_temp.t values ($1::text)", "secret"))
        await connection.script("drop table pg_temp.t")
    assert caught.value.constraint == "short"
    assert "secret" not in str(caught.value)


async def test_an_error_in_decoding_is_left_alone(any_database):
    def decode(_rows: object) -> None:
        raise OSError("mine")

    with pytest.raises(OSError, match="mine") as caught:
        await any_database.run(Statement("x", "select 1", (), decode))
    assert type(caught.value) is OSError


async def transact(connection, *statements: Statement[object]) -> None:
    async with connection.transaction():
        for statement in statements:
            await connection.run(statement)


async def borrow_and_transact(database, *statements: Statement[object]) -> None:
    async with database.connection() as connection:
        await transact(connection, *statements)


def fail(_rows: object) -> None:
    raise FileNotFoundError


async def test_a_transaction_commits_or_rolls_back(any_database, admin):
    await admin.execute("create table if not exists public.things (n int); truncate public.things")
    insert = "insert into public.things values ($1::int)"
    async with any_database.connection() as connection:
        async with connection.transaction():
            await connection.run(ask(insert, 1))
        with pytest.raises(FileNotFoundError):
            await transact(connection, ask(insert, 2), Statement("x", "select 1", (), fail))
        with pytest.raises(DatabaseError):
            await transact(connection, ask(insert, 3), ask("select 1 / 0"))
        assert await connection.run(ask("select array_agg(n) from public.things")) == [1]


async def test_a_commit_that_fails_is_an_error(database, admin):
    await admin.execute(
        "create table if not exists public.late (n int unique deferrable initially deferred)"
    )
    async with database.connection() as connection:
        with pytest.raises(DatabaseError) as caught:
            async with connection.transaction():
                await connection.script("insert into public.late values (1), (1)")
        assert caught.value.sqlstate == "23505"
        assert await connection.run(ask("select count(*) from public.late")) == 0


@pytest.mark.parametrize("killed_when", ["long before", "before", "inside"])
async def test_a_transaction_on_a_killed_connection_is_a_lost_connection(
    database, admin, killed_when
):
    connection = await database.dedicated("killed")
    pid = await connection.run(ask("select pg_backend_pid()"))
    kill = ask("select pg_terminate_backend($1::int)", pid)
    lost = losses(connection)
    if killed_when != "inside":
        await admin.execute(kill.text, *kill.args)
    if killed_when == "long before":
        await until(lambda: lost)
    with pytest.raises(ConnectionLostError):
        await transact(connection, kill, ask("select 1"))
    await until(lambda: len(lost) == 2)


async def test_a_rollback_that_cannot_be_made_ends_the_connection(relay, monkeypatch):
    database = await connect(f"postgres://postgres@127.0.0.1:{relay.port}/postgres")
    connection = await database.dedicated("stuck")
    lost = losses(connection)

    async def work() -> None:
        async with connection.transaction():
            relay.freeze()
            raise FileNotFoundError

    task = asyncio.create_task(work())
    await until(lambda: not relay.flowing)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: len(lost) == 2)
    monkeypatch.setattr(ours, "CLOSE_SECONDS", 0.05)
    await database.aclose()


async def test_a_cancelled_transaction_leaves_a_usable_connection(database, admin):
    async with database.connection() as connection:

        async def work() -> None:
            async with connection.transaction():
                await connection.run(ask("select pg_sleep(60)"))

        task = asyncio.create_task(work())
        running = "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'"
        while not await admin.fetchval(running):
            pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not connection.raw.is_in_transaction()
        assert await connection.run(ask("select 1")) == 1


OURS = {
    "search_path": "pg_catalog, pg_temp",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "TimeZone": "UTC",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, DMY",
}


@pytest.fixture
async def awkward_url(admin, url: str) -> AsyncIterator[str]:
    """A role that is set up to make every session of it useless."""
    await admin.execute(
        """
        create role awkward superuser login;
        alter role awkward set search_path = "Their Own", public;
        alter role awkward set statement_timeout = '1s';
        alter role awkward set lock_timeout = '1ms';
        alter role awkward set idle_in_transaction_session_timeout = '1ms';
        alter role awkward set idle_session_timeout = '1s';
        alter role awkward set default_transaction_isolation = 'serializable';
        alter role awkward set default_transaction_read_only = on;
        alter role awkward set default_transaction_deferrable = on;
        alter role awkward set TimeZone = 'Asia/Kolkata';
        alter role awkward set client_encoding = 'LATIN1';
        alter role awkward set standard_conforming_strings = off;
        alter role awkward set DateStyle = 'German';
        """
    )
    if admin.get_server_version().major >= 17:
        await admin.execute("alter role awkward set transaction_timeout = '1h'")
    yield url.replace("//postgres@", "//awkward@")
    await admin.execute("reset role; drop role awkward")


@pytest.fixture
async def trusted(server, admin) -> AsyncIterator[None]:
    """Lets every role in without a password."""
    rules = server.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("local all all trust\n")
    await admin.execute("select pg_reload_conf()")
    yield
    rules.write_text(before)
    await admin.execute("select pg_reload_conf()")


async def test_whatever_the_role_says_sessions_are_as_we_need_them(awkward_url, trusted):
    database = await connect(awkward_url)
    dedicated = await database.dedicated("claim", settings={"jit": "off"})
    for executor in (database, dedicated):
        known = ask("select array_agg(name) from pg_settings where name = any($1::text[])", [*OURS])
        names = await executor.run(known)
        assert len(OURS) - len(names) <= 2  # settings that came with 14 and 17
        got = {name: await executor.run(setting(name)) for name in names}
        assert got["DateStyle"].startswith("ISO")
        assert got == {name: OURS[name] for name in names} | {"DateStyle": got["DateStyle"]}
    assert await dedicated.run(setting("jit")) == "off"
    assert await dedicated.run(setting("application_name")) == "graphile-worker claim"
    await dedicated.aclose()
    await database.aclose()


async def test_a_lent_transaction_has_the_paths_and_zone_of_the_role(awkward_url, trusted):
    database = await connect(awkward_url)
    async with database.connection() as connection:
        for _ in range(2):
            async with connection.transaction(lent=True):
                assert await connection.run(setting("search_path")) == '"Their Own", public'
                assert await connection.run(setting("TimeZone")) == "Asia/Kolkata"
                assert await connection.run(setting("transaction_isolation")) == "read committed"
            assert await connection.run(setting("search_path")) == OURS["search_path"]
    await database.aclose()


async def test_a_lent_transaction_has_the_path_that_the_url_asks_for(url):
    database = await connect(f"{url}&options=-c%20search_path%3Dapp,public")
    async with database.connection() as connection, connection.transaction(lent=True):
        assert await connection.run(setting("search_path")) == "app,public"
    await database.aclose()


async def test_where_sessions_are_shared_each_of_our_transactions_sets_itself_up(
    awkward_url, trusted, admin
):
    await admin.execute("alter role awkward set idle_in_transaction_session_timeout = 0")
    await admin.execute("alter role awkward set statement_timeout = '1min'")
    pool = await asyncpg.create_pool(awkward_url, min_size=0)
    pooler = await connect(awkward_url, prepared_statements=False)
    for database in (AsyncpgDatabase.over_pool(pool), pooler):
        async with database.connection() as connection:
            async with connection.transaction():
                for name in ("search_path", "statement_timeout", "lock_timeout"):
                    assert await connection.run(setting(name)) == OURS[name]
                assert await connection.run(setting("transaction_isolation")) == "read committed"
                assert await connection.run(setting("transaction_read_only")) == "off"
            async with connection.transaction(lent=True):
                assert await connection.run(setting("search_path")) == '"Their Own", public'
            assert await connection.run(setting("search_path")) == '"Their Own", public'
    await pooler.aclose()
    await pool.close()


async def test_a_pooler_sees_no_named_statement_and_only_settings_it_carries(url, monkeypatch):
    seen: list[dict[str, object]] = []
    real = asyncpg.connect

    async def spy(**how: object) -> asyncpg.Connection:
        seen.append(how)
        return await real(**how)

    monkeypatch.setattr(asyncpg, "connect", spy)
    database = await connect(url, prepared_statements=False)
    assert (
        await database.run(ask("select count(*) from pg_prepared_statements where name <> ''")) == 0
    )
    await database.aclose()
    assert set(seen[0]["server_settings"]) == {
        *("application_name", "TimeZone", "DateStyle", "standard_conforming_strings")
    }


async def test_the_pool_opens_connections_as_they_are_needed_and_no_more(database, admin):
    count = "select count(*) from pg_stat_activity where application_name = 'graphile-worker'"
    assert await admin.fetchval(count) == 1
    assert await database.run(ask("select 1")) == 1
    assert await admin.fetchval(count) == 1
    await asyncio.gather(*(database.run(ask("select pg_sleep(0.01)")) for _ in range(12)))
    assert await admin.fetchval(count) == 3


async def test_a_pool_that_waits_for_itself_says_so(database, monkeypatch):
    async with database.connection(), database.connection(), database.connection():
        monkeypatch.setattr(ours, "ACQUIRE_SECONDS", 0.05)
        with pytest.raises(DatabaseError, match="none of the 3 connections became free"):
            await database.run(ask("select 1"))
        monkeypatch.undo()
    assert await database.run(ask("select 1")) == 1


async def test_a_pool_heals_after_its_connections_were_killed(database, admin):
    async with database.connection() as one, database.connection() as two:
        await one.run(ask("select 1"))
        lost = losses(two)
        await admin.execute(KILL_OTHERS)
        with pytest.raises(ConnectionLostError):
            await one.run(ask("select 1"))
        await until(lambda: len(lost) == 2)
    assert await database.run(ask("select 1")) == 1


async def test_a_read_only_server_is_a_lost_connection_and_the_pool_starts_anew(database):
    pids = [await database.run(ask("select pg_backend_pid()"))]
    write = [ask("set transaction read only"), ask("create table public.never ()")]
    async with database.connection() as other:
        await other.run(ask("select 1"))
        with pytest.raises(ConnectionLostError) as caught:
            await borrow_and_transact(database, *write)
    assert caught.value.sqlstate == "25006"
    pids.append(await database.run(ask("select pg_backend_pid()")))
    assert pids[0] != pids[1]


async def test_notifications_come_in_order_on_a_channel_with_any_name(any_database):
    connection = await any_database.dedicated("listen")
    for channel in ("jobs:insert", 'worker:"migrate"', "Upper Case"):
        heard: asyncio.Queue[str] = asyncio.Queue()
        await connection.listen(channel, heard.put_nowait)
        for payload in ("1", "", "3"):
            await any_database.run(ask("select pg_notify($1::text, $2::text)", channel, payload))
        assert [await heard.get() for _ in range(3)] == ["1", "", "3"]
    await connection.aclose()


def losses(connection) -> list[str]:
    lost: list[str] = []
    connection.on_lost(lambda: lost.append("first"))
    connection.on_lost(lambda: lost.append("second"))
    return lost


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0)


async def test_the_loss_of_a_connection_is_told_once(database, admin):
    connection = await database.dedicated("listen")
    lost = losses(connection)
    await admin.execute(KILL_OTHERS)
    await until(lambda: len(lost) == 2)
    with pytest.raises(ConnectionLostError):
        await connection.run(ask("select 1"))
    await connection.aclose()
    late = losses(connection)
    await until(lambda: len(late) == 2)
    assert lost == late == ["first", "second"]


async def test_closing_is_told_as_well(any_database):
    connection = await any_database.dedicated("listen")
    lost = losses(connection)
    await connection.aclose()
    await until(lambda: len(lost) == 2)


async def test_a_link_that_breaks_under_a_query_is_a_lost_connection(relay):
    database = await connect(f"postgres://postgres@127.0.0.1:{relay.port}/postgres")
    connection = await database.dedicated("claim")
    lost = losses(connection)
    query = asyncio.create_task(connection.run(ask("select pg_sleep(60)")))
    await asyncio.sleep(0)
    relay.hang_up()
    with pytest.raises(ConnectionLostError):
        await query
    await until(lambda: len(lost) == 2)
    await connection.aclose()
    await database.aclose()


class EndsInBetween(asyncpg.Connection):
    """Ends when a statement is prepared, and not executed yet: as a watchdog of ours may do."""

    async def _get_statement(self, *args: object, **options: object) -> object:
        statement = await super()._get_statement(*args, **options)
        self.terminate()
        return statement


async def test_a_connection_that_ends_between_the_steps_of_a_statement_is_lost(url):
    raw = await asyncpg.connect(url, connection_class=EndsInBetween)
    with pytest.raises(ConnectionLostError, match="ended under a statement"):
        await AsyncpgConnection(raw).run(ask("select 1"))


async def test_closing_over_a_dead_link_does_not_take_for_ever(relay, monkeypatch):
    monkeypatch.setattr(asyncpg_connection, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(ours, "CLOSE_SECONDS", 0.05)
    database = await connect(f"postgres://postgres@127.0.0.1:{relay.port}/postgres")
    connection = await database.dedicated("claim")
    stuck = await database.dedicated("stuck")
    query = asyncio.create_task(stuck.run(ask("select 1")))
    relay.freeze()
    began = time.monotonic()
    await connection.aclose()
    await stuck.aclose()
    await database.aclose()
    assert time.monotonic() - began < 2
    with pytest.raises(DatabaseError):
        await query


async def test_closing_waits_a_while_for_a_borrowed_connection_then_drops_it(url, monkeypatch):
    monkeypatch.setattr(ours, "CLOSE_SECONDS", 0.05)
    database = await connect(url)
    async with database.connection() as connection:
        await database.aclose()
        with pytest.raises(ConnectionLostError):
            await connection.run(ask("select 1"))
    with pytest.raises(ConnectionLostError, match="closed"):
        await database.run(ask("select 1"))


async def test_links_are_kept_alive_by_the_kernel(relay):
    database = await connect(
        f"postgres://postgres@127.0.0.1:{relay.port}/postgres?keepalives_idle=7"
    )
    async with database.connection() as connection:
        sock = connection.raw._transport.get_extra_info("socket")
        assert sock.getsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE)
        if hasattr(sockets, "TCP_KEEPIDLE"):
            assert sock.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_KEEPIDLE) == 7
        if hasattr(sockets, "TCP_USER_TIMEOUT"):
            assert sock.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_USER_TIMEOUT) == 60_000
    await database.aclose()


async def test_a_callers_pool_is_never_closed_and_gets_its_connections_back_clean(pool):
    database = AsyncpgDatabase.over_pool(pool)
    one, two = await database.dedicated("one"), await database.dedicated("two")
    heard: list[str] = []
    await one.listen("jobs:insert", heard.append)
    assert pool.get_idle_size() == 0
    await one.aclose()
    await two.aclose()
    assert pool.get_idle_size() == 2
    channels = ask("select count(*) from pg_listening_channels()")
    assert [await database.run(channels), await database.run(channels)] == [0, 0]
    await database.aclose()
    assert await pool.fetchval("select 1") == 1


async def test_a_callers_connection_that_died_is_given_back_all_the_same(pool, admin):
    database = AsyncpgDatabase.over_pool(pool)
    connection = await database.dedicated("one")
    await connection.listen("jobs:insert", print)
    lost = losses(connection)
    pid = await connection.run(ask("select pg_backend_pid()"))
    await admin.execute("select pg_terminate_backend($1::int)", pid)
    await until(lambda: len(lost) == 2)
    late = losses(connection)
    await until(lambda: len(late) == 2)
    await connection.aclose()
    assert pool.get_idle_size() == 0
    assert await database.run(ask("select 1")) == 1


async def test_an_operation_in_a_connection_that_is_busy_is_no_lost_connection(database):
    connection = await database.dedicated("busy")
    query = asyncio.create_task(connection.run(ask("select pg_sleep(0.05)")))
    await asyncio.sleep(0)
    with pytest.raises(DatabaseError, match="another operation is in progress") as caught:
        await connection.run(ask("select 1"))
    assert type(caught.value) is DatabaseError
    await query
    await connection.aclose()


async def test_a_dedicated_connection_may_be_opened_in_another_loop(database):
    async def other() -> object:
        connection = await database.dedicated("heartbeat")
        try:
            return await connection.run(ask("select 1"))
        finally:
            await connection.aclose()

    assert await asyncio.to_thread(lambda: asyncio.run(other())) == 1


async def test_a_statement_that_was_cancelled_leaves_a_usable_pool(database):
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await database.run(ask("select pg_sleep(60)"))
    assert await database.run(ask("select 1")) == 1
