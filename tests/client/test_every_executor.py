"""Every call of a client, over every connection, pool and engine that it can stand on."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, get_overloads

import asyncpg
import psycopg_pool
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from support.roads import ROADS, InThread, alchemy_url
from support.running import sql

from graphile_worker import (
    CleanupTask,
    ConfigurationError,
    DatabaseError,
    Job,
    JobKeyMode,
    JobNotAddedError,
    JobScheduleFailed,
    JobSpec,
    JobState,
    RawJobSpec,
    SchemaMissingError,
    SyncWorkerUtils,
    WorkerUtils,
    task_ref,
)

number = task_ref("number", int)
batch = task_ref("batch", list[int])

Call = Callable[..., Awaitable[Any]]
"""`await call("add_job", number, 1)`, whether the client is asynchronous or not."""

OF_THE_CALLERS_TRANSACTION = {
    "add_job",
    "add_raw_job",
    "add_batch_job",
    "add_jobs",
    "add_raw_jobs",
    "add_jobs_stream",
    "remove_job",
    "complete_jobs",
    "permanently_fail_jobs",
    "reschedule_jobs",
    "force_unlock_workers",
    "get_job",
    "list_jobs",
    "stats",
    "queues",
    "locked_workers",
    "list_active_workers",
    "pause_queue",
    "resume_queue",
    "finish_resuming",
    "pause_task",
    "resume_task",
    "pause_cron",
    "resume_cron",
    "pause_all",
    "resume_all",
    "paused",
}
OF_THEIR_OWN = {"cleanup", "migrate", "sweep_stale_workers"}


async def do_all(call: Call) -> list[int]:
    """Use every call that a caller's transaction can have, and answer with the jobs that stay."""
    one = await call("add_job", number, 1, JobSpec(queue_name="q", flags=["f", 'g"\\']))
    raw = await call("add_raw_job", "raw", {"ü": ["\\", '"', "\n", 10**20]})
    keyed = await call("add_batch_job", batch, [1], JobSpec(job_key="k"))
    again = await call("add_batch_job", batch, [2], JobSpec(job_key="k"))
    assert (again.id, again.payload, again.revision) == (keyed.id, [1, 2], 1)
    dedupe = JobSpec(job_key="k", job_key_mode=JobKeyMode.UNSAFE_DEDUPE)
    other = await call("add_raw_job", "other", None, dedupe)
    assert (other.id, other.task_identifier) == (keyed.id, "batch")
    many = await call("add_jobs", number, range(300), JobSpec(priority=1))
    assert [job.payload for job in many] == list(range(300))
    mixed = await call(
        "add_raw_jobs",
        [
            RawJobSpec("a", 1, JobSpec(job_key="m", queue_name="q")),
            RawJobSpec("b", "%s :x $1 %", JobSpec(flags=["f"])),
            RawJobSpec("a", 2, JobSpec(job_key="m", queue_name="r")),
        ],
    )
    assert [(j.task_identifier, j.payload, j.queue_name) for j in mixed] == [
        ("a", 1, "q"),
        ("b", "%s :x $1 %", None),
        ("a", 2, "r"),
    ]
    stream = [number.job(n, JobSpec(priority=2)) for n in range(70)]
    assert await call("add_jobs_stream", iter(stream), chunk_size=32) == 70

    assert await call("get_job", one.id) == one
    assert (one.queue_name, one.flags, one.state) == ("q", {"f", 'g"\\'}, JobState.READY)
    assert raw.payload == {"ü": ["\\", '"', "\n", 10**20]}
    assert len(await call("list_jobs", limit=None)) == 1 + 1 + 1 + 300 + 2 + 70
    assert [job.id for job in await call("list_jobs", search="%s :x")] == [mixed[1].id]
    for state in ("running", "stuck", "retrying", "blocked", "unclaimed"):
        assert await call("list_jobs", state) == []
    assert (await call("stats")).ready == 375
    assert [queue.queue_name for queue in await call("queues")] == ["q", "r"]

    rest = [job.id for job in many] + [
        job.id for job in await call("list_jobs", search="number", limit=None)
    ]
    gone = await call("complete_jobs", sorted({*rest, mixed[0].id} - {one.id}))
    assert (len(gone.changed), gone.skipped, gone.missing) == (371, [], [])
    failed = await call("permanently_fail_jobs", [raw, 10**9], "not wanted: 100%")
    assert [(job.last_error, job.state) for job in failed.changed] == [
        ("not wanted: 100%", JobState.FAILED)
    ]
    assert failed.missing == [10**9]
    moved = await call("reschedule_jobs", [one], run_at=one.run_at, attempts=3, max_attempts=7)
    [changed] = moved.changed
    assert (changed.run_at, changed.attempts, changed.max_attempts) == (one.run_at, 3, 7)
    assert (await call("remove_job", "k")).id == keyed.id
    assert await call("remove_job", "k") is None
    await call("force_unlock_workers", ["nobody"])
    assert await call("locked_workers") == []
    assert await call("list_active_workers") == []

    assert (await call("pause_queue", "q", by="%s :x")).paused_by == "%s :x"
    assert (await call("pause_task", number, by="'")).name == "number"
    assert (await call("pause_cron", "nightly")).name == "nightly"
    everything = await call("pause_all")
    paused = await call("paused")
    assert [queue.queue_name for queue in paused.queues] == ["q"]
    assert (paused.everything, len(paused.tasks), len(paused.crons)) == (everything, 1, 1)
    assert (await call("resume_queue", "q")).was_paused
    assert await call("finish_resuming") == []
    for resumed in ("resume_task", "number"), ("resume_cron", "nightly"), ("resume_all",):
        assert await call(*resumed)
    return sorted([one.id, raw.id, mixed[1].id])


async def ids_in(url: str) -> list[int]:
    async with sql(url) as connection:
        rows = await connection.fetch("select id from graphile_worker._private_jobs order by id")
        return [row[0] for row in rows]


# -- on a connection or a session of the caller's ------------------------------------------------


def on(road: Any) -> Call:
    """The calls of the client for this kind of connection, where it wants them to be made."""
    if isinstance(road, InThread):
        sync_utils = SyncWorkerUtils(road.held)
        return lambda name, *args, **named: road.call(
            partial(getattr(sync_utils, name), *args, **named)
        )
    utils = WorkerUtils(road.held)
    return lambda name, *args, **named: getattr(utils, name)(*args, **named)


@pytest.fixture(params=ROADS)
async def road(request: pytest.FixtureRequest, gw_database: str) -> AsyncIterator[Any]:
    async with ROADS[request.param](gw_database) as road:
        yield road


async def test_all_calls_are_part_of_the_callers_transaction(road: Any, gw_database: str) -> None:
    call = on(road)
    await road.begin()
    await do_all(call)
    assert await ids_in(gw_database) == []
    await road.rollback()
    assert await ids_in(gw_database) == []
    await road.begin()
    left = await do_all(call)
    await road.commit()
    assert await ids_in(gw_database) == left


async def test_calls_with_transactions_of_their_own_are_refused(road: Any) -> None:
    call = on(road)
    for name in OF_THEIR_OWN:
        with pytest.raises(ConfigurationError, match=f"{name} makes transactions of its own"):
            await call(name)


async def test_no_jobs_are_no_statement(road: Any, gw_database: str) -> None:
    """A transaction has begun only if something was sent."""
    call = on(road)
    assert await call("add_jobs", []) == []
    assert await call("add_raw_jobs", []) == []
    assert await call("add_jobs_stream", []) == 0
    assert (await call("complete_jobs", [])).changed == []
    assert (await call("permanently_fail_jobs", [])).changed == []
    assert (await call("reschedule_jobs", [], priority=1)).changed == []
    await call("force_unlock_workers", [])
    async with sql(gw_database) as connection:
        sent = await connection.fetch(
            "select query from pg_stat_activity where datname = current_database() "
            "and query like '%graphile_worker%' and pid <> pg_backend_pid()"
        )
    assert sent == []


# -- on pools and engines --------------------------------------------------------------------------


@asynccontextmanager
async def asynchronous(over: Any) -> AsyncIterator[Call]:
    utils = WorkerUtils(over)
    yield lambda name, *args, **named: getattr(utils, name)(*args, **named)


@asynccontextmanager
async def synchronous(over: Any) -> AsyncIterator[Call]:
    utils = SyncWorkerUtils(over)
    yield lambda name, *args, **named: asyncio.to_thread(
        partial(getattr(utils, name), *args, **named)
    )


@asynccontextmanager
async def by_url(url: str) -> AsyncIterator[Call]:
    async with WorkerUtils.connect(url) as utils:
        yield lambda name, *args, **named: getattr(utils, name)(*args, **named)


@asynccontextmanager
async def sync_by_url(url: str) -> AsyncIterator[Call]:
    with SyncWorkerUtils.connect(url) as utils:
        yield lambda name, *args, **named: asyncio.to_thread(
            partial(getattr(utils, name), *args, **named)
        )


@asynccontextmanager
async def asyncpg_pool(url: str) -> AsyncIterator[Call]:
    async with asyncpg.create_pool(url, min_size=0, max_size=2) as pool, asynchronous(pool) as call:
        yield call


@asynccontextmanager
async def psycopg_async_pool(url: str) -> AsyncIterator[Call]:
    async with (
        psycopg_pool.AsyncConnectionPool(url, min_size=0, max_size=2, open=False) as pool,
        asynchronous(pool) as call,
    ):
        yield call


@asynccontextmanager
async def psycopg_sync_pool(url: str) -> AsyncIterator[Call]:
    with psycopg_pool.ConnectionPool(url, min_size=0, max_size=2, open=True) as pool:
        async with synchronous(pool) as call:
            yield call


def async_engine(driver: str) -> Callable[[str], Any]:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Call]:
        engine = create_async_engine(alchemy_url(url, driver))
        async with asynchronous(engine) as call:
            yield call
        await engine.dispose()

    return opened


@asynccontextmanager
async def sync_engine(url: str) -> AsyncIterator[Call]:
    engine = create_engine(alchemy_url(url, "psycopg"))
    async with synchronous(engine) as call:
        yield call
    engine.dispose()


POOLS: dict[str, Callable[[str], Any]] = {
    "url": by_url,
    "url-sync": sync_by_url,
    "asyncpg-pool": asyncpg_pool,
    "psycopg-async-pool": psycopg_async_pool,
    "psycopg-sync-pool": psycopg_sync_pool,
    "sqlalchemy-asyncpg-engine": async_engine("asyncpg"),
    "sqlalchemy-psycopg-engine": async_engine("psycopg"),
    "sqlalchemy-sync-engine": sync_engine,
}


@pytest.mark.parametrize("pool", POOLS)
async def test_all_calls_on_a_pool(gw_database: str, pool: str) -> None:
    async with POOLS[pool](gw_database) as call:
        left = await do_all(call)
        assert await ids_in(gw_database) == left
        await call("migrate")
        foreseen = await call("cleanup", dry_run=True)
        answer = await call("cleanup")
        assert answer == foreseen
        assert answer == {
            CleanupTask.DELETE_PERMANENTLY_FAILED_JOBS: 1,
            CleanupTask.GC_TASK_IDENTIFIERS: 4,
            CleanupTask.GC_JOB_QUEUES: 1,
        }


@pytest.mark.parametrize("pool", POOLS)
async def test_on_a_pool_a_call_is_stored_as_a_whole_or_not_at_all(
    gw_database: str, pool: str
) -> None:
    async with POOLS[pool](gw_database) as call, sql(gw_database) as connection:
        await connection.execute(
            "alter table graphile_worker._private_jobs add check (revision < 1)"
        )
        jobs = [number.job(n, JobSpec(job_key="k")) for n in range(2)]
        with pytest.raises(DatabaseError) as caught:
            await call("add_jobs", jobs)
        assert caught.value.sqlstate == "23514"
        with pytest.raises(DatabaseError):
            await call("add_jobs_stream", jobs)
        with pytest.raises(JobScheduleFailed):
            await call(
                "add_jobs",
                [
                    *jobs,
                    number.job(1, JobSpec(job_key="k", job_key_mode=JobKeyMode.UNSAFE_DEDUPE)),
                ],
            )
        assert await ids_in(gw_database) == []


@pytest.mark.parametrize("pool", POOLS)
async def test_a_job_that_was_not_stored_is_told(gw_database: str, pool: str) -> None:
    async with POOLS[pool](gw_database) as call, sql(gw_database) as connection:
        await connection.execute(
            """
            create or replace function graphile_worker.add_jobs(
              specs graphile_worker.job_spec[], job_key_preserve_run_at boolean default false
            ) returns setof graphile_worker._private_jobs language sql as
            $$ select * from graphile_worker._private_jobs where false $$
            """
        )
        for name, args in (
            ("add_job", (number, 1, JobSpec(job_key="k"))),
            ("add_jobs", ([number.job(1, JobSpec(job_key="k"))],)),
            ("add_jobs_stream", ([number.job(1, JobSpec(job_key="k"))],)),
        ):
            with pytest.raises(JobNotAddedError, match="'k'"):
                await call(name, *args)


@pytest.mark.parametrize("pool", ["url", "url-sync"])
async def test_connecting_never_migrates(empty_database: str, pool: str) -> None:
    with pytest.raises(SchemaMissingError, match="migrate"):
        async with POOLS[pool](empty_database):
            pass


@pytest.mark.parametrize("pool", [name for name in POOLS if not name.startswith("url")])
async def test_any_pool_can_migrate(empty_database: str, pool: str) -> None:
    async with POOLS[pool](empty_database) as call:
        await call("migrate")
        await call("migrate")
        job: Job = await call("add_job", number, 1)
        assert await call("get_job", job.id) == job


# -- one interface ---------------------------------------------------------------------------------


def public(kind: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_both_clients_have_the_same_calls_with_the_same_parameters() -> None:
    ours, theirs = public(WorkerUtils), public(SyncWorkerUtils)
    assert ours.keys() - {"aclose"} == theirs.keys() - {"close"}
    for name in ours.keys() & theirs.keys():
        assert parameters(ours[name]) == parameters(theirs[name]), name
        assert len(get_overloads(ours[name])) == len(get_overloads(theirs[name])), name
        assert ours[name].__doc__
        assert theirs[name].__doc__
    assert parameters(WorkerUtils.connect) == parameters(SyncWorkerUtils.connect)
    assert parameters(WorkerUtils) == parameters(SyncWorkerUtils)


def parameters(function: Callable[..., Any]) -> list[tuple[str, object, object]]:
    return [
        (parameter.name, parameter.kind, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
    ]


def test_no_call_is_left_out_here() -> None:
    elsewhere = {"aclose", "connect", "with_executor"}
    assert public(WorkerUtils).keys() - elsewhere == OF_THE_CALLERS_TRANSACTION | OF_THEIR_OWN
    used = inspect.getsource(do_all)
    assert [
        name
        for name in OF_THE_CALLERS_TRANSACTION
        if f'call("{name}"' not in used and f'"{name}",' not in used and f'("{name}"' not in used
    ] == []
