"""A worker with recurring jobs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.running import running, sql, until

from graphile_worker import Cron, CrontabFill, WorkerContext, WorkerOptions, task


@dataclass
class Digest:
    account_id: int


async def remember(url: str, identifier: str, **ago: float) -> None:
    """The row of a worker that ran some time ago."""
    async with sql(url) as connection:
        await connection.execute(
            "insert into graphile_worker._private_known_crontabs values ($1, now() - $2::interval, null)",
            identifier,
            timedelta(**ago),
        )


async def test_recurring_jobs_run(gw_database: str):
    ran: list[tuple[int, Any]] = []

    @task
    async def digest(payload: Digest, ctx: WorkerContext) -> None:
        ran.append((payload.account_id, ctx.payload["_cron"]))

    # Two runs of the past are owed, and so there is nothing to wait for.
    await remember(gw_database, "digest", minutes=3)
    cron = Cron.every_minute(digest).fill(CrontabFill.minutes(2)).payload(Digest(42))
    async with running(gw_database, tasks=[digest], crons=[cron]):

        async def both() -> bool:
            return len(ran) >= 2

        await until(both)
    first, second = ran[:2]
    assert first[0] == second[0] == 42
    assert {first[1]["backfilled"], second[1]["backfilled"]} == {True}
    gap = datetime.fromisoformat(second[1]["ts"]) - datetime.fromisoformat(first[1]["ts"])
    assert abs(gap) == timedelta(minutes=1)


@pytest.mark.parametrize("local", [False, True])
async def test_entries_become_known_by_either_clock(gw_database: str, local: bool, caplog):
    @task(payload=None)
    async def work() -> None: ...

    started = datetime.now(UTC)
    crons = "0 0 1 1 * work\n0 0 1 1 * elsewhere"
    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[work], crons=crons, use_local_time=local),
    ):

        async def known() -> list[Any]:
            return await connection.fetch(
                "select * from graphile_worker._private_known_crontabs order by identifier"
            )

        rows = await until(known)
    assert [row["identifier"] for row in rows] == ["elsewhere", "work"]
    assert all(abs(row["known_since"] - started) < timedelta(minutes=1) for row in rows)
    assert all(row["last_execution"] is None for row in rows)
    assert "cron entry 'elsewhere': the task 'elsewhere' is not known here" in caplog.text
    assert "cron entry 'work'" not in caplog.text


async def test_a_worker_that_drains_schedules_nothing_more(gw_database: str):
    """It stops at once, though a handler is still running."""
    began, go = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def work() -> None:
        began.set()
        await go.wait()

    await remember(gw_database, "work", minutes=3)
    crons = "* * * * * work ?fill=2m"
    async with running(gw_database, tasks=[work], crons=crons, concurrency=1) as worker:
        await began.wait()
        worker.request_shutdown()

        async def gone() -> bool:
            return not any(t.get_name() == "cron" for t in asyncio.all_tasks())

        await until(gone)
        go.set()


async def test_run_once_schedules_nothing(gw_database: str):
    @task(payload=None)
    async def work() -> None: ...

    await remember(gw_database, "work", hours=1)
    options = WorkerOptions(database_url=gw_database, tasks=[work], crons="* * * * * work ?fill=1h")
    async with options.init() as worker:
        result = await worker.run_once()
    assert result.completed == 0
