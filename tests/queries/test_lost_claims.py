"""What is handed back after a claim whose answer was lost: nothing that is held, and all the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from support.hot_path import run
from support.running import sql

from graphile_worker.database.schema import Schema
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Unfinished, Verdict
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.release_jobs import (
    release_and_take_next,
    release_completed,
    release_unfinished,
    return_lost_claims,
)

SCHEMA = Schema("graphile_worker")
RULES: dict[str, Any] = {"worker_id": "w", "task_ids": [1], "forbidden_flags": None, "now": None}


@pytest.fixture
async def connection(gw_database: str) -> AsyncIterator[asyncpg.Connection]:
    async with sql(gw_database) as connection:
        yield connection


async def claim(connection: asyncpg.Connection, limit: int = 1) -> list[ClaimedJob]:
    return await run(connection, claim_jobs(SCHEMA, **RULES, limit=limit, look=Look.HEADS))


async def add(connection: asyncpg.Connection, queue: str | None = None) -> None:
    await connection.execute("select graphile_worker.add_job('t', queue_name => $1)", queue)


async def locks(connection: asyncpg.Connection) -> tuple[int, int]:
    """How many jobs and queues are locked."""
    row = await connection.fetchrow(
        "select (select count(*) from graphile_worker._private_jobs where locked_by = 'w'), "
        "(select count(*) from graphile_worker._private_job_queues where locked_by = 'w')"
    )
    assert row is not None
    return row[0], row[1]


async def test_what_is_held_stays_locked(connection: asyncpg.Connection) -> None:
    for queue in (None, "q", None, "r"):
        await add(connection, queue)
    held = await claim(connection, 2)
    lost = await claim(connection, 2)
    returned = await run(connection, return_lost_claims(SCHEMA, worker_id="w", held=held))
    assert sorted(returned) == sorted(job.id for job in lost)
    assert await locks(connection) == (2, 1)
    assert {job.attempts for job in await claim(connection, 2)} == {1}


async def test_a_queue_is_free_although_its_last_job_is_still_being_released(
    connection: asyncpg.Connection,
) -> None:
    """A release that took the next job was carried out and not answered, and is tried again."""
    await add(connection, "q")
    await add(connection, "q")
    [first] = await claim(connection)
    statement = release_and_take_next(SCHEMA, **RULES, jobs=[first], details=True)
    following = (await run(connection, statement)).taken[first.id]
    returned = await run(connection, return_lost_claims(SCHEMA, worker_id="w", held=[first]))
    assert returned == [following.id]
    await run(connection, release_completed(SCHEMA, worker_id="w", jobs=[first]))
    assert await locks(connection) == (0, 0)


async def test_a_job_whose_earlier_run_is_still_being_released_is_handed_back(
    connection: asyncpg.Connection,
) -> None:
    """Its failure was stored and not answered, and then its next claim was not answered either."""
    await add(connection)
    [job] = await claim(connection)
    failed = [(job, Unfinished(Verdict.SPENT, "again", 0.0))]
    await run(connection, release_unfinished(SCHEMA, worker_id="w", jobs=failed))
    [again] = await claim(connection)
    returned = await run(connection, return_lost_claims(SCHEMA, worker_id="w", held=[job]))
    assert returned == [again.id]
    assert await locks(connection) == (0, 0)
