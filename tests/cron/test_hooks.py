"""What hooks hear of recurring jobs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from support.running import running, sql

from graphile_worker import (
    Cron,
    CronJobScheduled,
    CrontabFill,
    CronTick,
    HookRegistry,
    parse_crontab,
    task,
)
from graphile_worker.hooks.dispatch import frozen
from graphile_worker.worker.service_events import scheduled_teller, tick_teller

MINUTE = timedelta(minutes=1)


async def test_each_minute_is_told_once_before_its_jobs_and_each_job_once_after(stage):
    registry = HookRegistry()
    told: list[Any] = []

    @registry.on(CronTick)
    async def tick(event: CronTick) -> None:
        told.append((event, len(await stage.jobs())))

    @registry.on(CronJobScheduled)
    async def scheduled(event: CronJobScheduled) -> None:
        told.append((event, len(await stage.jobs())))

    hooks = frozen(registry, 1)
    text = "* * * * * often"
    start = stage.clock.time
    stage.clock.time += timedelta(seconds=10)
    how = {"on_tick": tick_teller(hooks), "on_scheduled": scheduled_teller(hooks)}
    async with stage.scheduling(text, **how):
        await stage.clock.go_on_until(start + 2 * MINUTE + timedelta(seconds=30))
    (often,) = parse_crontab(text)
    ticks = [(e.timestamp, jobs) for e, jobs in told if isinstance(e, CronTick)]
    jobs = [(e.scheduled_at, jobs) for e, jobs in told if isinstance(e, CronJobScheduled)]
    assert ticks == [(start + MINUTE, 0), (start + 2 * MINUTE, 1)]
    assert jobs == [(start + MINUTE, 1), (start + 2 * MINUTE, 2)]
    assert all(list(e.crontabs) == [often] for e, _ in told if isinstance(e, CronTick))
    assert all(e.crontab == often for e, _ in told if isinstance(e, CronJobScheduled))


async def test_a_worker_tells_of_the_jobs_that_it_makes_up_for(gw_database: str):
    registry = HookRegistry()
    told: asyncio.Queue[CronJobScheduled] = asyncio.Queue()
    registry.on(CronJobScheduled, told.put_nowait)

    @task(payload=None)
    async def digest() -> None: ...

    async with sql(gw_database) as connection:
        await connection.execute(
            "insert into graphile_worker._private_known_crontabs values ('digest', now() - interval '3 minutes', null)"
        )
    cron = Cron.every_minute(digest).fill(CrontabFill.minutes(2))
    async with running(gw_database, tasks=[digest], crons=[cron], hooks=registry):
        first = await asyncio.wait_for(told.get(), 15)
        second = await asyncio.wait_for(told.get(), 15)
    assert first.crontab.identifier == second.crontab.identifier == "digest"
    assert second.scheduled_at - first.scheduled_at == MINUTE
