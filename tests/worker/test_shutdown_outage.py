"""Stopping while the database is away: bounded, and nothing is silent."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from support.relay import Relay
from support.running import sql

from graphile_worker import WorkerOptions, task


@pytest.mark.parametrize("how", [pytest.param("black hole", marks=pytest.mark.full), "gone"])
async def test_stopping_is_bounded_while_the_database_is_away(
    gw_database: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    query = parse_qs(urlsplit(gw_database).query)
    socket = Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")
    started = asyncio.Event()

    @task(payload=None)
    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    async with sql(gw_database) as connection, Relay(socket) as relay:
        options = WorkerOptions(
            database_url=f"postgresql://postgres@127.0.0.1:{relay.port}/{urlsplit(gw_database).path[1:]}",
            tasks=[endless],
            shutdown_grace_period=0.1,
            listen_os_shutdown_signals=False,
        )
        worker = await options.init()
        job = await worker.create_utils().add_job(endless)
        run = asyncio.create_task(worker.run())
        await asyncio.wait_for(started.wait(), 15)
        relay.freeze()
        if how == "gone":
            relay.hang_up()
        before = time.monotonic()
        worker.request_shutdown()
        await asyncio.wait_for(run, 30)
        await worker.aclose()
        took = time.monotonic() - before
        assert took < 25, f"{took:.1f} s"
        assert f"these jobs stay locked until they are recovered: [{job.id}]" in caplog.text
        # It is still registered, and silent from now on: others will find the job.
        found = await connection.fetchrow(
            "select w.id from graphile_worker._private_workers as w "
            "join graphile_worker._private_jobs as j on j.locked_by = w.id"
        )
        assert found["id"] == worker.worker_id
