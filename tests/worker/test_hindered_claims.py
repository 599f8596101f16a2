"""Claims that wait for the locks of other sessions."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from support.running import running, sql, until

from graphile_worker import WorkerOptions, task

LOCK = "lock table graphile_worker._private_jobs in exclusive mode"


async def until_a_claim_waits(connection: asyncpg.Connection) -> None:
    async def waits() -> bool:
        return await connection.fetchval(
            "select exists (select from pg_stat_activity where wait_event_type = 'Lock' "
            "and application_name like '%claim%' and datname = current_database())"
        )

    await until(waits)


async def test_a_moment_is_not_worth_a_word(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    ran = asyncio.Event()

    @task(payload=None)
    async def work() -> None:
        ran.set()

    async with (
        sql(gw_database) as connection,
        sql(gw_database) as other,
        running(gw_database, tasks=[work], poll_interval=0.02),
    ):
        async with other.transaction():
            await other.execute(LOCK)
            await until_a_claim_waits(connection)
        await connection.execute("select graphile_worker.add_job('work')")
        await asyncio.wait_for(ran.wait(), 15)
    assert "cannot claim jobs" not in caplog.text


async def test_a_lock_that_stays_is_told_and_waited_for(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    ran = asyncio.Event()

    @task(payload=None)
    async def work() -> None:
        ran.set()

    async with (
        sql(gw_database) as connection,
        sql(gw_database) as other,
        running(gw_database, tasks=[work], poll_interval=0.02),
    ):
        await connection.execute("select graphile_worker.add_job('work', run_at => 'infinity')")
        async with other.transaction():
            await other.execute(LOCK)

            async def told() -> bool:
                return "cannot claim jobs" in caplog.text

            await until(told)
        await connection.execute("select graphile_worker.add_job('work')")
        await asyncio.wait_for(ran.wait(), 15)
    assert "lock timeout" in caplog.text


async def test_run_once_waits_too(gw_database: str) -> None:
    ran: list[str] = []

    @task(payload=None)
    async def work() -> None:
        ran.append("work")

    async with (
        sql(gw_database) as connection,
        sql(gw_database) as other,
        WorkerOptions(database_url=gw_database, tasks=[work]).init() as worker,
    ):
        await connection.execute("select graphile_worker.add_job('work')")
        async with other.transaction():
            await other.execute(LOCK)
            run = asyncio.create_task(worker.run_once())
            await until_a_claim_waits(connection)
        assert (await run).completed == 1
    assert ran == ["work"]
