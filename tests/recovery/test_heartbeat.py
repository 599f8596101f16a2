"""A worker says that it is alive, and finds out when others think that it is not."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from support.certificates import make_certificate
from support.relay import Relay
from support.running import running, sql, until

from graphile_worker import WorkerContext, WorkerOptions, WorkerRecoveryConfig, task
from graphile_worker.database.statement import Statement, nothing

WORKERS = "graphile_worker._private_workers"


@task(payload=None)
async def work() -> None: ...


async def rows(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    return await connection.fetch(f"select * from {WORKERS} order by started_at")


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_running_worker_is_registered_and_says_goodbye(
    gw_database: str, enabled: bool
) -> None:
    """Also one that does not sweep itself: others must not take its jobs."""
    recovery = WorkerRecoveryConfig(enabled=enabled)
    async with sql(gw_database) as connection:
        async with running(gw_database, tasks=[work], recovery=recovery) as worker:
            [row] = await until(lambda: rows(connection))
            assert row["id"] == worker.worker_id
            told = json.loads(row["metadata"])
        assert await rows(connection) == []
    assert told["kind"] == "python"
    assert told["pid"] == os.getpid()
    assert (told["tasks"], told["crons"]) == (["work"], [])
    assert (told["concurrency"], told["max_pg_conn"]) == (4, 20)
    assert {"version", "host", "started_at"} < set(told)


async def test_run_once_is_registered_too(gw_database: str) -> None:
    seen: list[list[Any]] = []

    @task(payload=None)
    async def look(ctx: WorkerContext) -> None:
        async with sql(gw_database) as connection:
            seen.append([row["id"] for row in await rows(connection)])
        assert seen[-1] == [ctx.worker_id]

    async with WorkerOptions(database_url=gw_database, tasks=[look]).init() as worker:
        await worker.create_utils().add_job(look)
        assert (await worker.run_once()).completed == 1
    async with sql(gw_database) as connection:
        assert await rows(connection) == []
    assert seen


async def test_it_beats(gw_database: str) -> None:
    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[work], heartbeat_interval=0.02),
    ):
        [first] = await until(lambda: rows(connection))

        async def moved_on() -> bool:
            [row] = await rows(connection)
            assert row["metadata"] == first["metadata"]
            return row["last_heartbeat_at"] > first["last_heartbeat_at"]

        await until(moved_on)


async def test_a_handler_that_blocks_the_loop_does_not_stop_the_heart(gw_database: str) -> None:
    beats: list[Any] = []

    async def two_beats() -> None:
        async with sql(gw_database) as connection:
            [before] = await rows(connection)

            async def moved_on() -> bool:
                [row] = await rows(connection)
                return row["last_heartbeat_at"] > before["last_heartbeat_at"]

            beats.append(await until(moved_on))

    done = asyncio.Event()

    @task(payload=None)
    async def block() -> None:
        thread = threading.Thread(target=lambda: asyncio.run(two_beats()))
        thread.start()
        thread.join(20)  # nothing else happens on the loop meanwhile
        done.set()

    async with running(gw_database, tasks=[block], heartbeat_interval=0.02) as worker:
        await worker.create_utils().add_job(block)
        await asyncio.wait_for(done.wait(), 25)
    assert beats == [True]


async def test_on_a_pool_of_the_callers_it_beats_on_the_loop_and_says_so(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = {thread.name for thread in threading.enumerate()}
    async with (
        asyncpg.create_pool(gw_database, min_size=0, max_size=6) as pool,
        sql(gw_database) as connection,
    ):
        options = WorkerOptions(
            database=pool, tasks=[work], heartbeat_interval=0.02, listen_os_shutdown_signals=False
        )
        async with options.init() as worker:
            run = asyncio.create_task(worker.run())
            [first] = await until(lambda: rows(connection))

            async def moved_on() -> bool:
                [row] = await rows(connection)
                return row["last_heartbeat_at"] > first["last_heartbeat_at"]

            await until(moved_on)
            assert not any(
                "heartbeat" in name for name in {t.name for t in threading.enumerate()} - names
            )
            worker.request_shutdown()
            await asyncio.wait_for(run, 15)
        assert pool.get_size() == pool.get_idle_size()
        assert await rows(connection) == []
    assert "share the event loop" in caplog.text


async def test_no_thread_is_left_behind(gw_database: str) -> None:
    before = set(threading.enumerate())
    async with running(gw_database, tasks=[work], heartbeat_interval=0.02):
        pass
    left = {thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()}
    assert not any("heartbeat" in name for name in left)


async def test_beats_go_on_until_the_last_job_is_released(gw_database: str) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def slow() -> None:
        started.set()
        await release.wait()

    options = WorkerOptions(
        database_url=gw_database,
        tasks=[slow],
        heartbeat_interval=0.02,
        shutdown_grace_period=30,
        listen_os_shutdown_signals=False,
    )
    async with options.init() as worker, sql(gw_database) as connection:
        await worker.create_utils().add_job(slow)
        run = asyncio.create_task(worker.run())
        await asyncio.wait_for(started.wait(), 15)
        worker.request_shutdown()
        [before] = await rows(connection)

        async def moved_on() -> bool:
            [row] = await rows(connection)
            return row["last_heartbeat_at"] > before["last_heartbeat_at"]

        await until(moved_on)
        release.set()
        await asyncio.wait_for(run, 15)
        assert await rows(connection) == []


async def test_a_lost_heartbeat_connection_is_opened_again(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[work], heartbeat_interval=0.02) as worker,
    ):
        await until(lambda: rows(connection))

        async def killed() -> bool:
            return await connection.fetchval(
                "select bool_or(pg_terminate_backend(pid)) from pg_stat_activity "
                "where application_name like '%heartbeat' and datname = current_database()"
            )

        await until(killed)

        async def complained() -> bool:
            return "no heartbeat, trying again" in caplog.text

        await until(complained)
        [before] = await rows(connection)

        async def moved_on() -> bool:
            [row] = await rows(connection)
            return row["last_heartbeat_at"] > before["last_heartbeat_at"]

        await until(moved_on)
        assert before["id"] == worker.worker_id


async def test_a_worker_lives_through_the_renewal_of_its_certificate(
    gw_database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """For a moment its file is not there, and just then the connections are lost."""
    done = asyncio.Event()

    @task(payload=None)
    async def quick() -> None:
        done.set()

    certificate = make_certificate(tmp_path)
    aside = tmp_path / "aside"
    parts = urlsplit(gw_database)
    query = parse_qs(parts.query)
    socket = Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")
    options = {"heartbeat_interval": 0.02, "sweep_interval": 0.02, "sweep_threshold": 60}
    async with Relay(socket) as relay, sql(gw_database) as connection:
        url = f"postgresql://postgres@127.0.0.1:{relay.port}{parts.path}?sslcert={certificate}"
        async with running(url, tasks=[quick], **options) as worker:
            await until(lambda: rows(connection))
            certificate.rename(aside)
            relay.hang_up()

            async def complained() -> bool:
                complaints = ("no heartbeat, trying again", "could not look for dead workers")
                return all(complaint in caplog.text for complaint in complaints)

            await until(complained)
            aside.rename(certificate)
            [before] = await rows(connection)

            async def moved_on() -> bool:
                [row] = await rows(connection)
                return row["last_heartbeat_at"] > before["last_heartbeat_at"]

            await until(moved_on)
            await connection.execute("select graphile_worker.add_job('quick')")
            await asyncio.wait_for(done.wait(), 15)
            assert before["id"] == worker.worker_id


async def test_a_swept_worker_becomes_another_and_cuts_its_handlers_off(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its row is gone: its jobs are others' by now, or anybody's."""
    runs: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    cut_off = asyncio.Event()
    release = asyncio.Event()

    @task(payload=None)
    async def slow(ctx: WorkerContext) -> None:
        runs.put_nowait((ctx.worker_id, ctx.job.attempts))
        try:
            await release.wait()
        except asyncio.CancelledError:
            cut_off.set()
            raise

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[slow], heartbeat_interval=0.02, poll_interval=0.02) as worker,
    ):
        await worker.create_utils().add_job(slow)
        old, attempts = await asyncio.wait_for(runs.get(), 15)
        assert (old, attempts) == (worker.worker_id, 1)
        await connection.execute(f"delete from {WORKERS}")
        await asyncio.wait_for(cut_off.wait(), 15)
        # Nobody had taken the job, so it was handed back, its attempt too, and claimed anew.
        new, attempts = await asyncio.wait_for(runs.get(), 15)
        assert attempts == 1
        assert new == worker.worker_id != old
        [row] = await rows(connection)
        assert row["id"] == new
        owner = await connection.fetchval("select locked_by from graphile_worker._private_jobs")
        assert owner == new
        release.set()

        async def empty() -> bool:
            return not await connection.fetchval(
                "select count(*) from graphile_worker._private_jobs"
            )

        await until(empty)
    assert f"worker {old} goes on as {new}" in caplog.text
    assert "failed" not in caplog.text


async def test_what_a_swept_worker_lost_it_neither_completes_nor_hands_back(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    started, cut_off = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def slow() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut_off.set()

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[slow], heartbeat_interval=0.02) as worker,
    ):
        added = await worker.create_utils().add_job(slow)
        await asyncio.wait_for(started.wait(), 15)
        old = worker.worker_id
        async with connection.transaction():
            await connection.execute(
                "update graphile_worker._private_jobs set locked_by = 'other', locked_at = now()"
            )
            await connection.execute(f"delete from {WORKERS}")
        await asyncio.wait_for(cut_off.wait(), 15)

        async def renewed() -> bool:
            return worker.worker_id != old

        await until(renewed)
        row = await connection.fetchrow("select * from graphile_worker._private_jobs")
    assert (row["locked_by"], row["attempts"]) == ("other", 1)
    assert f"job {added.id} is no longer held" in caplog.text


async def test_a_swept_worker_goes_on_where_its_goodbye_is_not_answered(
    gw_database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    never = Statement("return_lost_claims", "select pg_sleep(3600)::text", (), nothing)
    monkeypatch.setattr(
        "graphile_worker.worker.lost_claims.return_lost_claims", lambda *_, **__: never
    )
    monkeypatch.setattr("graphile_worker.worker.lost_claims._ANSWERS_WITHIN", 0.05)
    done = asyncio.Event()

    @task(payload=None)
    async def quick() -> None:
        done.set()

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[quick], heartbeat_interval=0.02) as worker,
    ):
        await worker.create_utils().add_job(quick)
        await asyncio.wait_for(done.wait(), 15)
        done.clear()
        old = worker.worker_id
        await connection.execute(f"delete from {WORKERS}")

        async def renewed() -> bool:
            return worker.worker_id != old

        await until(renewed)
        await worker.create_utils().add_job(quick)
        await asyncio.wait_for(done.wait(), 15)
    assert "left to the sweepers: the database does not answer" in caplog.text


async def test_registration_that_fails_ends_the_run(gw_database: str) -> None:
    from graphile_worker import DatabaseError

    async with sql(gw_database) as connection:
        options = WorkerOptions(
            database_url=gw_database, tasks=[work], listen_os_shutdown_signals=False
        )
        async with options.init() as worker:
            await connection.execute(f"drop table {WORKERS}")
            with pytest.raises(DatabaseError, match="_private_workers"):
                await worker.run()
            with pytest.raises(DatabaseError, match="_private_workers"):
                await worker.run_once()


async def test_stopping_is_bounded_while_the_heart_cannot_say_goodbye(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[work], poll_interval=timedelta(hours=1)),
    ):
        await until(lambda: rows(connection))
        block = connection.transaction()
        await block.start()
        await connection.execute(f"lock table {WORKERS}")
        # `running` waits for the end of the run, 20 s at most.
    assert "could not deregister" in caplog.text
