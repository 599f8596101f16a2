"""What a worker says of itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from support.relay import Relay
from support.running import running, sql, until

from graphile_worker import WorkerContext, WorkerOptions, task


@task(payload=None)
async def work() -> None: ...


async def test_a_worker_that_does_not_run(gw_database: str) -> None:
    async with WorkerOptions(
        database_url=gw_database, tasks=[work], concurrency=3
    ).init() as worker:
        health = worker.health()
        assert (health.state, health.connected, health.is_ready) == ("stopped", False, False)
        assert (health.slots, health.running, health.oldest_job) == (3, 0, None)
        assert health.since_last_claim is None


async def test_a_worker_at_work(gw_database: str) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def slow(ctx: WorkerContext) -> None:
        started.set()
        await release.wait()

    async with running(gw_database, tasks=[slow], concurrency=3) as worker:
        added = await worker.create_utils().add_job(slow)
        await asyncio.wait_for(started.wait(), 15)

        async def listening() -> bool:
            return worker.health().listening

        await until(listening)
        health = worker.health()
        assert (health.state, health.connected, health.is_ready) == ("running", True, True)
        assert (health.slots, health.running) == (3, 1)
        assert health.worker_id == worker.worker_id
        assert health.heartbeat_in_thread
        assert health.oldest_job is not None
        assert (health.oldest_job.id, health.oldest_job.task_identifier) == (added.id, "slow")
        for age in (
            health.since_last_claim,
            health.since_last_heartbeat,
            health.oldest_job.running_for,
            health.loop_lag,
        ):
            assert age is not None
            assert timedelta(0) <= age < timedelta(seconds=30)
        worker.request_shutdown()
        assert (worker.health().state, worker.health().is_ready) == ("draining", False)
        release.set()
    assert worker.health().state == "stopped"


async def test_a_worker_that_only_polls_does_not_listen(gw_database: str) -> None:
    async with running(
        gw_database, tasks=[work], use_notification_delivery=False, poll_interval=0.02
    ) as worker:

        async def ready() -> bool:
            return worker.health().is_ready

        await until(ready)
        assert not worker.health().listening


async def test_an_outage_shows_and_ends(gw_database: str) -> None:
    query = parse_qs(urlsplit(gw_database).query)
    socket = Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")
    async with Relay(socket) as relay:
        url = f"postgresql://postgres@127.0.0.1:{relay.port}/{urlsplit(gw_database).path[1:]}"
        async with running(url, tasks=[work], poll_interval=0.02) as worker:

            async def ready() -> bool:
                return worker.health().is_ready and worker.health().listening

            async def away() -> bool:
                return not (worker.health().is_ready or worker.health().listening)

            await until(ready)
            relay.freeze()
            relay.hang_up()
            await until(away)
            relay.thaw()
            await until(ready)


@pytest.mark.parametrize("direct", [True, False])
async def test_it_says_where_its_heart_beats(gw_database: str, direct: bool) -> None:
    async with asyncpg.create_pool(gw_database, min_size=0, max_size=6) as pool:
        options = WorkerOptions(
            database=pool, tasks=[work], direct_database_url=gw_database if direct else None
        )
        async with options.init() as worker, sql(gw_database):
            assert worker.health().heartbeat_in_thread is direct
