"""Side by side with the Node implementation, on one database."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.node_worker import node_worker
from support.older_schemas import make_node_at
from support.running import running, sql, until

from graphile_worker import task
from graphile_worker.client.open_database import open_database
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.cron import CronJob, schedule_crontabs

SCHEMA = Schema("graphile_worker")


@task(payload=None)
async def work() -> None: ...


@pytest.mark.full
@pytest.mark.timeout(420)
async def test_each_minute_of_a_shared_crontab_has_one_job(gw_database: str, tmp_path: Path):
    """Nobody here runs the task, so that its jobs stay to be counted."""
    text = "* * * * * nobody ?id=shared&fill=1h {a: 1}\n"
    (tmp_path / "crontab").write_text(text)
    node = node_worker("0.16.6").start(gw_database, tmp_path / "crontab")
    try:
        async with running(gw_database, tasks=[work], crons=text), sql(gw_database) as connection:

            async def three_minutes() -> list[Any]:
                found = await connection.fetch(
                    "select j.run_at, j.payload from graphile_worker._private_jobs j order by 1"
                )
                return found if len(found) >= 3 else []

            jobs = await until(three_minutes, seconds=300)
    finally:
        node.terminate()
        said, _ = node.communicate(timeout=30)
    first = jobs[0]["run_at"]
    minutes = [(job["run_at"] - first) // timedelta(minutes=1) for job in jobs]
    assert minutes == list(range(len(jobs))), said
    for job in jobs:
        assert list(json.loads(job["payload"])) == ["a", "_cron"]


async def test_a_job_that_nodes_function_loses_is_tried_again(empty_database: str):
    """It stores nothing for a key whose job is being claimed at that moment."""
    database = await open_database(empty_database)
    try:
        async with sql(empty_database) as connection, sql(empty_database) as claiming:
            await make_node_at(connection, SCHEMA, 19)
            await connection.execute(
                "select from graphile_worker.add_job('report', job_key => 'k')"
            )
            at = await connection.fetchval("select date_trunc('minute', now())")
            entry = CronJob(
                identifier="report",
                task="report",
                payload="{}",
                queue=None,
                max_attempts=None,
                job_key="k",
                preserve_run_at=False,
                priority=None,
                flags=(),
            )
            claim = claiming.transaction()
            await claim.start()
            await claiming.execute("update graphile_worker._private_jobs set locked_at = now()")
            adding = asyncio.create_task(database.run(schedule_crontabs(SCHEMA, at, [entry])))
            await until(lambda: waits(connection))
            await claim.commit()
            with pytest.raises(DatabaseError, match="a job key is being claimed"):
                await adding
            marked = "select count(*) from graphile_worker._private_known_crontabs"
            assert await connection.fetchval(marked) == 0
            assert await database.run(schedule_crontabs(SCHEMA, at, [entry])) == ["report"]
            assert (
                await connection.fetchval("select count(*) from graphile_worker._private_jobs") == 2
            )
    finally:
        await database.aclose()


async def waits(connection: Any) -> bool:
    return await connection.fetchval(
        "select exists (select from pg_stat_activity where datname = current_database()"
        " and wait_event_type = 'Lock')"
    )
