"""The client without an event loop: threads, closing, and what it needs to be there."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import psycopg_pool
import pytest

from graphile_worker import (
    ConfigurationError,
    ConnectionLostError,
    DatabaseError,
    JobSpec,
    SchemaMissingError,
    SyncWorkerContext,
    SyncWorkerUtils,
    WorkerOptions,
    task,
    task_ref,
)

number = task_ref("number", int)


def test_many_threads_share_one(gw_database: str) -> None:
    def work(n: int) -> int:
        job = utils.add_job(number, n, JobSpec(job_key=f"{n % 5}"))
        utils.add_jobs([number.job(n), number.job(n, JobSpec(queue_name=f"q{n % 3}"))])
        assert utils.get_job(job.id) is not None
        utils.reschedule_jobs([job], priority=1)
        return job.id

    with SyncWorkerUtils.connect(gw_database, max_pg_conn=3) as utils:
        with ThreadPoolExecutor(8) as threads:
            ids = list(threads.map(work, range(40)))
        assert len(set(ids)) == 5
        assert utils.stats().total == 85


def test_a_stream_of_very_many(gw_database: str) -> None:
    with SyncWorkerUtils.connect(gw_database) as utils:
        told: list[int] = []
        stream = (number.job(n) for n in range(10_000))
        assert utils.add_jobs_stream(stream, on_stored=told.append) == 10_000
        assert told == [5_000, 10_000]
        assert utils.stats().total == 10_000
    with psycopg.connect(gw_database) as connection:
        known = connection.execute(
            "select reltuples::integer from pg_class "
            "where oid = 'graphile_worker._private_jobs'::regclass"
        ).fetchone()
    assert known == (10_000,)


async def test_it_works_where_an_event_loop_is_running(gw_database: str) -> None:
    with SyncWorkerUtils.connect(gw_database) as utils:
        utils.migrate()
        assert utils.add_job(number, 1).payload == 1


def test_it_stands_on_a_connection_of_the_callers(gw_database: str) -> None:
    with (
        SyncWorkerUtils.connect(gw_database) as utils,
        psycopg.connect(gw_database) as connection,
    ):
        bound = utils.with_executor(connection)
        bound.add_job(number, 1)
        assert utils.stats().total == 0
        connection.rollback()
        bound.add_job(number, 2)
        connection.commit()
        bound.close()
        assert [job.payload for job in utils.list_jobs()] == [2]
        with pytest.raises(ConfigurationError, match="migrate makes transactions of its own"):
            bound.migrate()
        with pytest.raises(ConfigurationError, match="cleanup makes transactions of its own"):
            bound.cleanup()


def test_a_pool_of_the_callers_stays_open(gw_database: str) -> None:
    with psycopg_pool.ConnectionPool(gw_database, min_size=1, open=True) as pool:
        with SyncWorkerUtils(pool) as utils:
            utils.add_job(number, 1)
        assert not pool.closed


def test_a_thread_may_use_it_in_a_handler(gw_database: str) -> None:
    import asyncio

    @task(payload=None)
    def parent(ctx: SyncWorkerContext) -> None:
        with psycopg.connect(gw_database) as connection:
            SyncWorkerUtils(connection, schema=ctx.schema).add_raw_job(
                "child", None, JobSpec(run_at=timedelta(hours=1))
            )

    async def run() -> None:
        async with WorkerOptions(database_url=gw_database, tasks=[parent]).init() as worker:
            await worker.create_utils().add_job(parent)
            assert (await worker.run_once(raise_on_failure=True)).completed == 1

    asyncio.run(run())
    with SyncWorkerUtils.connect(gw_database) as utils:
        assert [job.task_identifier for job in utils.list_jobs()] == ["child"]


def test_connecting_checks_and_never_migrates(empty_database: str, tmp_path) -> None:
    with pytest.raises(SchemaMissingError, match="graphile-worker --schema mine migrate"):
        SyncWorkerUtils.connect(empty_database, schema="mine")
    with pytest.raises(ConfigurationError, match="no database"):
        SyncWorkerUtils.connect("")
    with pytest.raises(ConnectionLostError) as caught:
        SyncWorkerUtils.connect(f"postgresql://u:secret@/db?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_errors_are_ours_on_our_own_connections(gw_database: str) -> None:
    with SyncWorkerUtils.connect(gw_database) as utils, psycopg.connect(gw_database) as connection:
        connection.execute("drop schema graphile_worker cascade")
        connection.commit()
        with pytest.raises(DatabaseError):
            utils.add_job(number, 1)
        with pytest.raises(psycopg.errors.InvalidSchemaName):
            utils.with_executor(connection).add_job(number, 1)


def test_closing_twice_is_no_error(gw_database: str) -> None:
    utils = SyncWorkerUtils.connect(gw_database)
    utils.close()
    utils.close()


def test_an_embedded_server_comes_and_goes() -> None:
    program = (
        "from graphile_worker import SyncWorkerUtils, SchemaMissingError\n"
        "try:\n"
        "    SyncWorkerUtils.connect('embedded:?temporary')\n"
        "except SchemaMissingError as error:\n"
        "    print('no schema')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert (ended.stdout, ended.stderr) == ("no schema\n", "")


def test_without_psycopg_the_extra_is_named() -> None:
    program = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from graphile_worker import SyncWorkerUtils, MissingDependencyError\n"
        "try:\n"
        "    SyncWorkerUtils.connect('postgresql://localhost/db')\n"
        "except MissingDependencyError as error:\n"
        "    print(error.extra)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert (ended.stdout, ended.stderr) == ("psycopg\n", "")
