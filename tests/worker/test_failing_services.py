"""A part of the worker that breaks, which none should: what ran is stored all the same."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest
from support.running import sql

from graphile_worker import WorkerContext, WorkerOptions, task
from graphile_worker.recovery.sweeper import Sweeper
from graphile_worker.worker.membership import Membership


@pytest.fixture(params=[Sweeper, Membership])
def breaks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set it, and the part breaks."""
    now = asyncio.Event()

    async def run(_: object) -> None:
        await now.wait()
        raise OSError("it broke")

    monkeypatch.setattr(request.param, "run", run)
    return now


@pytest.mark.parametrize("claim_mode", ["lock", "transaction"])
@pytest.mark.parametrize("when", ["at work", "at the end"])
async def test_jobs_that_end_in_the_grace_period_are_stored(
    gw_database: str, breaks: asyncio.Event, when: str, claim_mode: Literal["lock", "transaction"]
) -> None:
    begun = asyncio.Event()

    @task(payload=None)
    async def patient(ctx: WorkerContext) -> None:
        begun.set()
        await ctx.shutting_down.wait()
        breaks.set()
        async with ctx.database.connection() as connection:
            await connection.raw.execute("select pg_sleep(0.1)")

    options = WorkerOptions(
        database_url=gw_database,
        tasks=[patient],
        claim_mode=claim_mode,
        listen_os_shutdown_signals=False,
    )
    async with options.init() as worker:
        await worker.create_utils().add_job(patient)
        run = asyncio.create_task(worker.run())
        await asyncio.wait_for(begun.wait(), 10)
        if when == "at work":
            breaks.set()
        else:
            worker.request_shutdown()
        with pytest.raises(OSError, match="it broke"):
            await asyncio.wait_for(run, 10)
    async with sql(gw_database) as connection:
        assert await connection.fetchval("select count(*) from graphile_worker._private_jobs") == 0


async def test_run_once_stores_what_ran_too(gw_database: str, monkeypatch) -> None:
    begun = asyncio.Event()

    async def broken(_: Membership) -> None:
        await begun.wait()
        raise OSError("it broke")

    @task(payload=None)
    async def brief(ctx: WorkerContext) -> None:
        begun.set()
        async with ctx.database.connection() as connection:
            await connection.raw.execute("select pg_sleep(0.1)")

    monkeypatch.setattr(Membership, "run", broken)
    async with WorkerOptions(database_url=gw_database, tasks=[brief]).init() as worker:
        await worker.create_utils().add_job(brief)
        with pytest.raises(OSError, match="it broke"):
            await asyncio.wait_for(worker.run_once(), 10)
    async with sql(gw_database) as connection:
        assert await connection.fetchval("select count(*) from graphile_worker._private_jobs") == 0
