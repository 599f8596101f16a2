"""The clocks, and a scheduler that is stopped at any moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from support.running import until

from graphile_worker import parse_crontab
from graphile_worker.cron.clock import Clock, DatabaseClock, LocalClock
from graphile_worker.cron.scheduler import CronScheduler
from graphile_worker.database.schema import Schema
from graphile_worker.queries.cron import now


@pytest.mark.parametrize("local", [False, True])
async def test_who_waits_for_an_instant_is_not_woken_before_it(stage, local: bool):
    clock: Clock = LocalClock() if local else DatabaseClock(stage.database)
    instant = await clock.now() + timedelta(milliseconds=30)
    assert instant.tzinfo is UTC
    await clock.sleep_until(instant)
    assert await clock.now() >= instant
    await clock.sleep_until(instant - timedelta(hours=1))
    await clock.sleep(0)


async def test_a_database_whose_clock_differs_decides(stage):
    class Ahead:
        """An hour ahead of this machine."""

        async def run(self, statement):
            return await stage.database.run(statement) + timedelta(hours=1)

    clock = DatabaseClock(Ahead())
    assert await clock.now() > datetime.now(UTC) + timedelta(minutes=59)
    await asyncio.wait_for(clock.sleep_until(await clock.now()), 10)


async def test_a_scheduler_may_be_stopped_at_any_moment(stage):
    """Whatever was under way then, the next one goes on, and nothing is done twice."""
    entries = parse_crontab("* * * * * task ?fill=1h\n*/2 * * * * other ?fill=1h")
    known = await stage.database.run(now())
    await stage.remember("task", known - timedelta(minutes=30), None)
    await stage.remember("other", known - timedelta(minutes=30), None)
    for steps in range(60):
        clock = DatabaseClock(stage.database)
        scheduler = CronScheduler(entries, stage.database, Schema("graphile_worker"), clock=clock)
        task = asyncio.create_task(scheduler.run())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    last = asyncio.create_task(
        CronScheduler(entries, stage.database, Schema("graphile_worker"), clock=clock).run()
    )

    async def caught_up() -> bool:
        return await stage.connection.fetchval(
            "select count(*) = 2 from graphile_worker._private_known_crontabs"
            " where last_execution > now() - interval '2 minutes'"
        )

    await until(caught_up)
    last.cancel()
    await asyncio.wait([last])
    runs = [(job["identifier"], job["run_at"]) for job in await stage.jobs()]
    assert len(runs) == len(set(runs))
    assert sum(identifier == "task" for identifier, _ in runs) >= 29
    assert sum(identifier == "other" for identifier, _ in runs) >= 14
