"""What every road to the database must do alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Self

import psycopg
import pytest
from psycopg.rows import class_row, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from support.roads import (
    ROADS,
    Alchemy,
    InThread,
    Road,
    alchemy_url,
    asyncpg_connection,
    psycopg_async,
)
from support.running import sql

from graphile_worker import RawJobSpec, SyncWorkerUtils, WorkerUtils
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.drivers.adopt import adopt, adopt_sync
from graphile_worker.drivers.borrowed import sync_executor_for
from graphile_worker.drivers.connect import connect, connect_sync
from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import JobKeyMode, JobSpec
from graphile_worker.payloads.codec import to_json
from graphile_worker.queries import add_jobs as adding
from graphile_worker.queries import manage_jobs as managing
from graphile_worker.queries.task_ids import register_tasks

SCHEMA = Schema("graphile_worker")
BIG = (1 << 53) + 1
TEXT = "".join(
    chr(code) for code in (*range(1, 0x250), *range(0x1000, 0xD800, 97), 0xE000, 0xFFFF, 0x10FFFF)
)
AT = datetime(2031, 7, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))


@asynccontextmanager
async def own_asyncpg(url: str) -> AsyncIterator[Any]:
    database = await connect(url, max_connections=2)
    yield database
    await database.aclose()


@asynccontextmanager
async def own_psycopg_pool(url: str) -> AsyncIterator[Any]:
    async with AsyncConnectionPool(url, min_size=0, max_size=2, open=False) as pool:
        yield adopt(pool)


def own_engine(driver: str) -> Any:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Any]:
        engine = create_async_engine(alchemy_url(url, driver))
        yield adopt(engine)
        await engine.dispose()

    return opened


class Sync:
    """A database without an event loop, asked from one."""

    def __init__(self, database: Any) -> None:
        self.database = database

    async def run(self, statement: Statement[Any]) -> Any:
        return await asyncio.to_thread(self.database.run, statement)


@asynccontextmanager
async def own_sync(url: str) -> AsyncIterator[Any]:
    database = await asyncio.to_thread(connect_sync, url)
    yield Sync(database)
    await asyncio.to_thread(database.close)


@asynccontextmanager
async def own_sync_pool(url: str) -> AsyncIterator[Any]:
    with ConnectionPool(url, min_size=0, max_size=2, open=True) as pool:
        yield Sync(adopt_sync(pool))


@asynccontextmanager
async def own_sync_engine(url: str) -> AsyncIterator[Any]:
    engine = create_engine(alchemy_url(url, "psycopg"))
    yield Sync(adopt_sync(engine))
    engine.dispose()


EXECUTORS = {
    **ROADS,
    "own-asyncpg": own_asyncpg,
    "own-psycopg-pool": own_psycopg_pool,
    "own-engine-asyncpg": own_engine("asyncpg"),
    "own-engine-psycopg": own_engine("psycopg"),
    "own-sync": own_sync,
    "own-sync-pool": own_sync_pool,
    "own-sync-engine": own_sync_engine,
}


@pytest.fixture(params=EXECUTORS)
async def executor(request, gw_database: str) -> AsyncIterator[Any]:
    async with EXECUTORS[request.param](gw_database) as executor:
        yield executor


@pytest.fixture(params=ROADS)
async def road(request, gw_database: str) -> AsyncIterator[Road]:
    async with ROADS[request.param](gw_database) as road:
        yield road


@pytest.fixture
async def admin(gw_database: str) -> AsyncIterator[Any]:
    async with sql(gw_database) as connection:
        yield connection


def new(identifier: str = "work", payload: Any = None, **spec: Any) -> NewJob:
    return NewJob(identifier, to_json({} if payload is None else payload), JobSpec(**spec))


async def add(executor: Any, job: NewJob | None = None) -> Any:
    return await executor.run(adding.add_job(SCHEMA, job or new()))


async def call(executor: Any, name: str, *args: Any, **options: Any) -> Any:
    """One method of the utils over an executor."""
    match executor:
        case InThread(held=held):
            method = getattr(SyncWorkerUtils(held), name)
            return await executor.call(lambda: method(*args, **options))
        case Sync(database=database):
            method = getattr(SyncWorkerUtils(database), name)
            return await asyncio.to_thread(method, *args, **options)
        case Road(held=held):
            return await getattr(WorkerUtils(held), name)(*args, **options)
        case _:
            return await getattr(WorkerUtils(executor), name)(*args, **options)


async def count(admin: Any) -> int:
    return await admin.fetchval("select count(*) from graphile_worker._private_jobs")


# -- values ------------------------------------------------------------------------------------


async def test_a_job_comes_back_as_it_was_added(executor, admin):
    await admin.execute(
        "select setval(pg_get_serial_sequence('graphile_worker._private_jobs', 'id'), $1)", BIG
    )
    payload = {"text": TEXT, "big": 1 << 80, "none": None, "list": [1.5, True, {"%s": "$1 %(p1)s"}]}
    flags = ["a", 'q"u\\o{t}e,', "%", "ünï"]
    added = await add(
        executor,
        new(
            "täsk",
            payload,
            queue_name="q%ueue",
            run_at=AT,
            max_attempts=32767,
            job_key="kéy $1 %s :x",
            job_key_mode=JobKeyMode.PRESERVE_RUN_AT,
            priority=-32768,
            flags=flags,
        ),
    )
    assert added.id == BIG + 1
    assert (added.task_identifier, added.queue_name, added.key) == (
        "täsk",
        "q%ueue",
        "kéy $1 %s :x",
    )
    assert added.payload == payload
    assert added.run_at == AT
    assert added.run_at.tzinfo is UTC
    assert (added.max_attempts, added.priority, added.attempts) == (32767, -32768, 0)
    assert added.flags == frozenset(flags)
    assert (added.last_error, added.locked_at, added.locked_by) == (None, None, None)
    assert await executor.run(managing.get_job(SCHEMA, BIG + 1)) == added
    assert await executor.run(managing.get_job(SCHEMA, (1 << 63) - 1)) is None
    assert await executor.run(managing.remove_job(SCHEMA, "kéy $1 %s :x")) == added
    assert await executor.run(managing.remove_job(SCHEMA, "gone")) is None


async def test_a_time_that_python_cannot_hold_hides_no_job(executor, admin):
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for run_at in ("-infinity", "4000-01-01 BC", "20000-01-01", "infinity"):
        await admin.execute(f"select from graphile_worker.add_job('work', run_at => '{run_at}')")
    await call(executor, "add_raw_job", "work", None, JobSpec(run_at=last))
    await call(executor, "add_raw_jobs", [RawJobSpec("work", None, JobSpec(run_at=last))])
    jobs = await call(executor, "list_jobs")
    assert [job.run_at for job in jobs] == [first, first, last, last, last, last]
    assert {job.run_at.tzinfo for job in jobs} == {UTC}
    changed = (await call(executor, "reschedule_jobs", jobs, priority=1)).changed
    assert {job.id: job.run_at for job in changed} == {job.id: job.run_at for job in jobs}
    assert await call(executor, "complete_jobs", jobs)


async def test_a_job_with_nothing_but_a_name_gets_the_defaults(executor, admin):
    added = await add(executor)
    now = await admin.fetchval("select now()")
    assert (added.queue_name, added.key, added.flags, added.payload) == (
        None,
        None,
        frozenset(),
        {},
    )
    assert (added.priority, added.max_attempts) == (0, 25)
    assert now - timedelta(minutes=1) < added.run_at <= now
    later = await add(executor, new(run_at=timedelta(days=200, microseconds=1)))
    assert timedelta(days=199) < later.run_at - added.run_at < timedelta(days=201)


async def test_many_jobs_are_matched_to_their_rows_across_summer_time(executor):
    jobs = [
        new(),
        new("other", {"n": 1}, flags=["{", ""], priority=3, queue_name=""),
        # At least one of these is on the other side of a clock change, wherever the session is.
        *(new("later", {"days": days}, run_at=timedelta(days=days)) for days in (90, 180, 270)),
        new("at", [1], run_at=AT, max_attempts=1),
        new("keyed", [], job_key="a"),
    ]
    stored = await call(executor, "add_jobs", jobs)
    assert [job.payload for job in stored] == [json.loads(job.payload) for job in jobs]
    assert {job.task_identifier for job in stored} == {"work", "other", "later", "at", "keyed"}
    assert {job.queue_name for job in stored} == {None, ""}
    assert next(job for job in stored if job.task_identifier == "at").run_at == AT


async def test_jobs_are_listed_and_counted(executor):
    first = await add(executor, new("one", {"where": "100%"}))
    second = await add(executor, new("two", queue_name="q", run_at=timedelta(hours=1)))

    async def listed(**wanted: Any) -> list[int]:
        return [job.id for job in await call(executor, "list_jobs", **wanted)]

    assert await listed() == [first.id, second.id]
    assert await listed(limit=1, offset=1) == [second.id]
    assert await listed(search="100%") == [first.id]
    assert await listed(state="scheduled", identifier="two", queue="q") == [second.id]
    stats = await call(executor, "stats")
    assert (stats.total, stats.ready, stats.scheduled) == (2, 1, 1)


async def test_tasks_are_registered(executor):
    found = await executor.run(register_tasks(SCHEMA, ["a", "b%", "ç"]))
    assert sorted(found.values()) == ["a", "b%", "ç"]
    assert await executor.run(register_tasks(SCHEMA, ["a", "b%", "ç"])) == found


async def test_arguments_of_every_type_cross(executor):
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    args = (
        "te%xt",
        [None, "a", '{x,"\\'],
        [],
        [None, None],
        [1 << 40, None, 1],
        [1.5, None],
        [None, at],
        True,
        0.1,
        1 << 62,
        None,
        [True, None],
    )
    row = await executor.run(
        Statement(
            "values",
            "select $1::text, $2::text[], $3::text[], $4::float8[], $5::bigint[], $6::float8[], "
            "$7::timestamptz[], $8::bool, $9::float8, $10::bigint, $11::text, $12::bool[], '%'",
            args,
            lambda rows: list(rows[0]),
        )
    )
    assert row == [*args, "%"]


async def test_a_statement_that_answers_with_nothing_is_no_error(executor):
    empty = Statement("nothing", "set application_name = '%'", (), list)
    assert await executor.run(empty) == []
    assert await executor.run(Statement("no_rows", "select 1 where false", (), list)) == []


# -- transactions ------------------------------------------------------------------------------


class Listening:
    """Hears of new jobs as a worker does."""

    def __init__(self, admin: Any) -> None:
        self.admin = admin
        self.heard: list[str] = []

    async def __aenter__(self) -> Self:
        await self.admin.add_listener("jobs:insert", self._notified)
        await self.admin.add_listener("mark", self._notified)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.admin.reset()

    def _notified(self, _raw: Any, _pid: int, channel: str, _payload: object) -> None:
        self.heard.append(channel)

    async def channels(self) -> list[str]:
        """All that was heard so far: a notification of our own comes after all before it."""
        await self.admin.execute("notify mark")
        async with asyncio.timeout(10):
            while "mark" not in self.heard:
                await asyncio.sleep(0)
        return [channel for channel in self.heard if channel != "mark"]


async def test_a_commit_brings_the_job_and_its_notification(road, admin):
    async with Listening(admin) as listening:
        await road.begin()
        await add(road)
        assert await count(admin) == 0
        await road.commit()
        assert await count(admin) == 1
        assert await listening.channels() == ["jobs:insert"]


async def test_a_rollback_leaves_neither_though_ours_was_the_first_statement(road, admin):
    async with Listening(admin) as listening:
        await road.begin()
        await add(road)
        await road.rollback()
        assert await count(admin) == 0
        assert await listening.channels() == []


async def test_a_job_stands_and_falls_with_the_callers_rows(road, admin):
    await admin.execute("create table public.orders (n int)")
    await road.begin()
    await road.sql("insert into public.orders values (1)")
    await add(road)
    await road.rollback()
    await road.begin()
    await road.sql("insert into public.orders values (2)")
    await add(road)
    await road.commit()
    assert await admin.fetchval("select array_agg(n) from public.orders") == [2]
    assert await count(admin) == 1


class UndoError(Exception):
    pass


async def undone(road: Road) -> None:
    async with road.nested():
        await add(road, new("undone"))
        raise UndoError


async def test_a_savepoint_takes_back_what_was_added_in_it(road, admin):
    await road.begin()
    outer = await add(road, new("outer"))
    with pytest.raises(UndoError):
        await undone(road)
    async with road.nested():
        kept = await add(road, new("kept"))
    await road.commit()
    ids = await admin.fetchval(
        "select array_agg(id order by id) from graphile_worker._private_jobs"
    )
    assert ids == [outer.id, kept.id]


async def test_a_refusal_is_the_drivers_own_with_a_note_and_the_savepoint_saves(road, admin):
    await road.begin()
    with pytest.raises(Exception, match="no_such_table") as caught:
        async with road.nested():
            await road.run(Statement("broken", "select * from no_such_table", (), list))
    assert not type(caught.value).__module__.startswith("graphile_worker")
    assert any("'broken'" in note for note in caught.value.__notes__)
    await add(road)
    await road.commit()
    assert await count(admin) == 1


async def test_in_a_failed_transaction_the_error_is_the_drivers_and_nothing_is_repaired(road):
    await road.begin()
    with pytest.raises(Exception, match="division"):
        await road.sql("select 1/0")
    for _ in range(2):  # still failed: nobody has rolled it back behind the caller's back
        with pytest.raises(Exception, match=r"aborted|rolled back|atomic") as caught:
            await add(road)
        assert any("'add_job'" in note for note in caught.value.__notes__)
    await road.rollback()


# A session, and Django, would open another one.
STAY_CLOSED = [
    name for name in ROADS if name.endswith(("connection", "psycopg", "asyncpg", "sync"))
]


@pytest.mark.parametrize("name", [*STAY_CLOSED, "asyncpg-proxy", "sqlalchemy-psycopg2"])
async def test_on_a_closed_connection_the_error_is_the_drivers(gw_database, name):
    async with ROADS[name](gw_database) as road:
        await road.sql("select 1")
        await road.close()
        with pytest.raises(Exception, match=r"clos|released") as caught:
            await add(road)
    assert not type(caught.value).__module__.startswith("graphile_worker")
    assert any("'add_job'" in note for note in caught.value.__notes__)


# -- settings of the caller's ------------------------------------------------------------------

EVIL = """
    create schema evil;
    create table evil._private_jobs (id int);
    create table evil.jobs (id int);
    create domain evil.job_spec as text;
    create function evil.lower(text) returns text language sql as $$ select 'evil' $$;
    create function evil.concat_ws(text, bigint, text, text, text, text, json) returns text
      language sql as $$ select 'evil' $$;
    create function evil.add_job(text, json) returns text language sql as $$ select 'evil' $$;
"""


@pytest.mark.parametrize("path", ["evil", "''", "evil, public"])
async def test_the_callers_search_path_and_formats_do_not_matter(road, admin, path):
    await admin.execute(EVIL)
    await road.begin()
    await road.sql(f"set search_path = {path}")
    await road.sql("set TimeZone = 'Europe/Paris'")
    await road.sql("set IntervalStyle = 'sql_standard'")
    await road.sql("set standard_conforming_strings = off")
    await road.sql("set extra_float_digits = -15")
    await test_a_job_comes_back_as_it_was_added(road, admin)
    await test_many_jobs_are_matched_to_their_rows_across_summer_time(road)
    await test_tasks_are_registered(road)
    assert len(await call(road, "list_jobs", search="days")) == 3
    await road.commit()


async def test_functions_of_the_caller_take_the_place_of_none_of_ours(road, admin):
    """The schema's own functions call `unnest` too, and those we cannot change."""
    await admin.execute(
        """
        create schema evil;
        create function evil.unnest(text[]) returns setof text language sql
          as $$ select 'evil' from pg_catalog.generate_series(1, 3) $$;
        """
    )
    await road.sql("set search_path = evil")
    await test_tasks_are_registered(road)


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres, MDY"])
@pytest.mark.parametrize("open_road", [asyncpg_connection, psycopg_async, ROADS["psycopg-sync"]])
async def test_dates_may_be_shown_in_any_style(gw_database, open_road, style):
    async with open_road(gw_database) as road:
        await road.sql(f"set DateStyle = '{style}'")
        assert (await add(road, new(run_at=AT))).run_at == AT


class Thing:
    def __init__(self, **_columns: Any) -> None:
        raise AssertionError("no row of ours is a Thing")


def no_loads(_text: object) -> Any:
    raise AssertionError("JSON of ours is not read by the caller's functions")


@pytest.mark.parametrize(
    "options",
    [
        {"row_factory": dict_row},
        {"row_factory": class_row(Thing)},
        {"cursor_factory": psycopg.AsyncClientCursor},
        {"cursor_factory": psycopg.AsyncRawCursor},
        {"prepare_threshold": None},
        {"prepare_threshold": 0},
    ],
    ids=["dict_row", "class_row", "client", "raw", "never", "at_once"],
)
async def test_a_psycopg_connection_may_be_set_up_in_any_way(gw_database, admin, options):
    async with psycopg_async(gw_database, **options) as road:
        await test_a_job_comes_back_as_it_was_added(road, admin)
        await test_many_jobs_are_matched_to_their_rows_across_summer_time(road)
        await road.commit()


class Text(psycopg.adapt.Loader):
    """Reads anything as a marked text."""

    def load(self, data: Any) -> str:
        return "theirs: " + bytes(data).decode()


class Jsonb(psycopg.adapt.Dumper):
    """Takes lists for JSON."""

    oid = psycopg.adapters.types["jsonb"].oid

    def dump(self, obj: Any) -> bytes:
        return json.dumps(obj).encode()


async def test_a_psycopg_connection_may_have_other_types_and_json_functions(gw_database, admin):
    async with psycopg_async(gw_database) as road:
        set_json_loads(no_loads, road.held)
        set_json_dumps(no_loads, road.held)
        for name in ("int8", "text", "timestamptz", "json"):
            road.held.adapters.register_loader(name, Text)
        road.held.adapters.register_dumper(list, Jsonb)
        await test_a_job_comes_back_as_it_was_added(road, admin)
        await test_tasks_are_registered(road)
        row = await (await road.held.execute("select 'x'::text")).fetchone()
        assert row == ("theirs: x",)  # what the caller set up is still as it was


async def test_an_asyncpg_connection_may_have_json_codecs(gw_database, admin):
    async with asyncpg_connection(gw_database) as road:
        for name in ("json", "jsonb"):
            await road.held.set_type_codec(
                name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
            )
        await test_a_job_comes_back_as_it_was_added(road, admin)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_an_engine_may_have_json_functions_and_server_side_cursors(
    gw_database, admin, driver
):
    engine = create_async_engine(
        alchemy_url(gw_database, driver),
        json_serializer=no_loads,
        json_deserializer=no_loads,
        execution_options={"stream_results": True, "yield_per": 1},
    )
    async with engine.connect() as connection:
        road = Alchemy(connection)
        await test_a_job_comes_back_as_it_was_added(road, admin)
        await test_many_jobs_are_matched_to_their_rows_across_summer_time(road)
        await connection.commit()
    await engine.dispose()


async def test_in_autocommit_mode_a_job_is_there_at_once(gw_database, admin):
    async with psycopg_async(gw_database, autocommit=True) as road:
        await add(road)
    async with asyncpg_connection(gw_database) as road:
        await add(road)
    async with ROADS["django"](gw_database) as road:
        await add(road)
    engine = create_async_engine(alchemy_url(gw_database, "asyncpg"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await add(Alchemy(connection))
    await engine.dispose()
    assert await count(admin) == 4


@pytest.mark.parametrize("name", ["psycopg", "psycopg-sync", "django"])
async def test_a_pipeline_of_psycopg_is_no_hindrance(gw_database, admin, name):
    async with ROADS[name](gw_database) as road, pipeline(road):
        await road.begin()
        added = await road.run(adding.add_job(SCHEMA, new()))
        missing = await road.run(managing.get_job(SCHEMA, added.id + 1))
        await road.run(adding.analyze_jobs(SCHEMA))  # answers with no rows at all
        again = await road.run(adding.add_job(SCHEMA, new()))
        await road.commit()
    assert await stored_ids(admin) == [added.id, again.id]
    assert missing is None


async def test_errors_in_a_pipeline_of_psycopg_reach_the_caller(gw_database):
    nowhere = Schema("nowhere")
    async with psycopg_async(gw_database) as road, road.held.pipeline():
        with pytest.raises(psycopg.errors.InvalidSchemaName):
            await road.run(adding.add_job(nowhere, new()))
        await road.rollback()


@asynccontextmanager
async def pipeline(road: Any) -> AsyncIterator[None]:
    if not isinstance(road, InThread):
        async with road.held.pipeline():
            yield
        return
    raw = getattr(road.held, "connection", road.held) or await road.call(opened_by_django, road)
    block = raw.pipeline()
    await road.call(block.__enter__)
    try:
        yield
    finally:
        await road.call(block.__exit__, None, None, None)


def opened_by_django(road: Any) -> Any:
    road.held.ensure_connection()
    return road.held.connection


async def stored_ids(admin: Any) -> list[int]:
    rows = await admin.fetch("select id from graphile_worker._private_jobs order by id")
    return [row["id"] for row in rows]


# -- sessions ----------------------------------------------------------------------------------


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


async def test_adding_flushes_nothing_of_the_session(gw_database, admin):
    await admin.execute("create table public.orders (id int primary key)")
    engine = create_async_engine(alchemy_url(gw_database, "asyncpg"))
    async with AsyncSession(engine) as session:
        session.add(Order(id=1))
        await add(Alchemy(session))
        assert len(session.new) == 1
        await session.commit()
    await engine.dispose()
    assert await admin.fetchval("select count(*) from public.orders") == 1
    assert await count(admin) == 1


@pytest.fixture
async def django(gw_database) -> AsyncIterator[InThread]:
    async with ROADS["django"](gw_database) as road:
        yield road


async def test_django_without_time_zones_still_gets_aware_times(django, admin):
    from django.test import override_settings

    def adds() -> Any:
        with override_settings(USE_TZ=False):
            django.held.__dict__.pop("timezone", None)
            django.held.__dict__.pop("timezone_name", None)
            executor = sync_executor_for(django.held)
            return executor.run(adding.add_job(SCHEMA, new(run_at=AT)))

    added = await django.call(adds)
    assert added.run_at == AT


async def test_djangos_on_commit_runs_after_the_job_is_there(django, admin):
    from django.db import connections, transaction

    ran: list[int] = []

    def view() -> None:
        with transaction.atomic(using="gw"):
            sync_executor_for(connections["gw"]).run(adding.add_job(SCHEMA, new()))
            transaction.on_commit(lambda: ran.append(1), using="gw")
            assert not ran
        assert ran == [1]
        assert connections["gw"].get_autocommit()

    await django.call(view)
    assert await count(admin) == 1


async def test_djangos_default_connection_is_taken_by_its_proxy(django):
    from django.db import connection, connections

    def adds() -> Any:
        connections["default"] = connections["gw"]
        try:
            return sync_executor_for(connection).run(adding.add_job(SCHEMA, new()))
        finally:
            del connections["default"]

    assert (await django.call(adds)).task_identifier == "work"


# -- the public calls --------------------------------------------------------------------------


async def test_every_call_works_on_every_road(road):
    await road.begin()
    one = await call(road, "add_raw_job", "one", {"n": 1})
    two, three = await call(
        road,
        "add_raw_jobs",
        [RawJobSpec("two", [TEXT], JobSpec(queue_name="q")), RawJobSpec("three", BIG)],
    )
    assert (two.payload, three.payload) == ([TEXT], BIG)
    assert await call(road, "add_jobs_stream", (new("four") for _ in range(5)), chunk_size=2) == 5
    assert await call(road, "get_job", one.id) == one
    assert (await call(road, "stats")).total == 8
    moved = await call(
        road, "reschedule_jobs", [one.id], run_at=AT, priority=-5, attempts=3, max_attempts=9
    )
    [changed] = moved.changed
    assert (changed.run_at, changed.priority, changed.attempts, changed.max_attempts) == (
        AT,
        -5,
        3,
        9,
    )
    failed = await call(road, "permanently_fail_jobs", [two.id, BIG], "100% sure")
    assert [job.last_error for job in failed.changed] == ["100% sure"]
    assert failed.missing == [BIG]
    done = await call(road, "complete_jobs", [three.id])
    assert [job.id for job in done.changed] == [three.id]
    assert [queue.queue_name for queue in await call(road, "queues")] == ["q"]
    assert await call(road, "locked_workers") == []
    await call(road, "force_unlock_workers", ["nobody"])
    assert await call(road, "list_active_workers", timedelta(minutes=5)) == []
    assert await call(road, "remove_job", "no such key") is None
    assert [job.id for job in await call(road, "list_jobs", state="failed")] == [two.id]
    for name in ("migrate", "cleanup"):
        with pytest.raises(ConfigurationError):
            await call(road, name)
    await road.commit()
