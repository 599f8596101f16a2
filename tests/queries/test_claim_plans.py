"""What claims and releases read does not grow with the tables."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from support.hot_path import as_workers_have_it
from support.running import sql

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Unfinished, Verdict
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.freed_queues import announce_freed_queues
from graphile_worker.queries.release_jobs import (
    release_and_take_next,
    release_claim,
    release_completed,
    release_unfinished,
)
from graphile_worker.queries.row_locks import claim_by_row_lock, settle_row_locks

SCHEMA = Schema("graphile_worker")
JOBS = "graphile_worker._private_jobs"
QUEUES = "graphile_worker._private_job_queues"
MOST_PAGES = 6_000
"""Looked at by one statement for 24 jobs; most need less than a thousand."""
MOST_THROWN_AWAY = 5_000
"""Rows, by one part of a plan: what is less may be 64 jobs joined with themselves."""
SIZES = [5_000, pytest.param(1_000_000, marks=pytest.mark.full)]

WORLDS = {
    "no queue": f"insert into {JOBS} (task_id, run_at) select 1, {{due}} from {{rows}}",
    "stuck behind two locked queues": f"""
        with q as (
          insert into {QUEUES} (queue_name, locked_at, locked_by)
          select 'locked' || n, now(), 'somebody' from generate_series(1, 2) as n
        )
        insert into {JOBS} (task_id, run_at, job_queue_id)
        select 1, {{due}} - interval '1 day', 1 + n % 2 from {{rows}}
        union all
        select 1, {{due}}, null from generate_series(1, 1000) as n
    """,
    "a thousand queues": f"""
        with q as (insert into {QUEUES} (queue_name) select n::text from generate_series(1, 1000) n)
        insert into {JOBS} (task_id, run_at, job_queue_id)
        select 1, {{due}}, 1 + n % 1000 from {{rows}}
    """,
    "a queue for each job": f"""
        with q as (insert into {QUEUES} (queue_name) select n::text from {{rows}})
        insert into {JOBS} (task_id, run_at, job_queue_id) select 1, {{due}}, n from {{rows}}
    """,
    "half in a thousand queues": f"""
        with q as (insert into {QUEUES} (queue_name) select n::text from generate_series(1, 1000) n)
        insert into {JOBS} (task_id, run_at, job_queue_id)
        select 1, {{due}}, case when n % 2 = 0 then 1 + n / 2 % 1000 end from {{rows}}
    """,
}


@asynccontextmanager
async def filled(url: str, world: str, size: int) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the claims have it, to a table of that size."""
    async with sql(url) as connection:
        await fill(connection, world, size)
        await connection.execute(f"vacuum analyze {JOBS}, {QUEUES}")
    async with as_workers_have_it(url) as connection:
        yield connection


async def fill(connection: asyncpg.Connection, world: str, size: int) -> None:
    await connection.execute("insert into graphile_worker._private_tasks (identifier) values ('t')")
    text = WORLDS[world].format(
        rows=f"generate_series(1, {size}) as n",
        due="now() - interval '1 hour' + n * interval '1 ms'",
    )
    await connection.execute(text)


def claim(look: Look, limit: int = 24) -> Statement[list[ClaimedJob]]:
    return claim_jobs(
        SCHEMA,
        worker_id="w",
        task_ids=[1],
        forbidden_flags=None,
        now=None,
        limit=limit,
        look=look,
    )


async def explained(connection: asyncpg.Connection, statement: Statement[Any]) -> dict[str, Any]:
    """The plan as it was carried out, in a transaction that is undone."""
    # Once for each text: the plan is the generic one, as it is for a worker's claims.
    await connection.execute(f"prepare asked as {statement.text}")
    plan = await carried_out(connection, "asked", statement)
    await connection.execute("deallocate asked")
    return plan


async def carried_out(
    connection: asyncpg.Connection, prepared: str, statement: Statement[Any]
) -> dict[str, Any]:
    literals = ", ".join(literal(value) for value in statement.args)
    transaction = connection.transaction()
    await transaction.start()
    try:
        [[plan]] = await connection.fetch(
            f"explain (analyze, buffers, format json) execute {prepared} ({literals})"
        )
    finally:
        await transaction.rollback()
    return json.loads(plan)[0]["Plan"]


def literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return "'{" + ", ".join(json.dumps(item) for item in value) + "}'"
    return f"'{value}'"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def scans_of_whole_tables(plan: dict[str, Any]) -> list[str]:
    return [
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] in {"Seq Scan", "Bitmap Heap Scan"} and node["Actual Loops"]
    ]


def most_rows_thrown_away(plan: dict[str, Any]) -> int:
    """By one part of the plan, a join of what was found included."""
    removed = ("Rows Removed by Filter", "Rows Removed by Join Filter")
    return max(int(node.get(by, 0)) for node in nodes(plan) for by in removed)


def check(plan: dict[str, Any]) -> None:
    assert scans_of_whole_tables(plan) == []
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < MOST_PAGES
    assert most_rows_thrown_away(plan) < MOST_THROWN_AWAY


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("world", WORLDS)
async def test_a_claim_reads_no_more_of_a_large_table(
    gw_database: str, world: str, size: int
) -> None:
    async with filled(gw_database, world, size) as connection:
        for look in (Look.HEADS, Look.NEAR, Look.PLAIN):
            check(await explained(connection, claim(look)))


@pytest.mark.parametrize("size", SIZES)
async def test_a_release_reads_no_more_of_a_large_table(gw_database: str, size: int) -> None:
    async with filled(gw_database, "half in a thousand queues", size) as connection:
        statement = claim(Look.HEADS, 64)
        jobs = statement.decode(await connection.fetch(statement.text, *statement.args))
        assert 10 < len([job for job in jobs if job.queue_id is not None]) < len(jobs) - 10
        for statement in releases(jobs):
            check(await explained(connection, statement))


def releases(jobs: list[ClaimedJob]) -> Iterator[Statement[Any]]:
    """Everything that is done with claimed jobs."""
    queued = [job for job in jobs if job.queue_id is not None]
    unqueued = [job for job in jobs if job.queue_id is None]
    if unqueued:
        yield release_claim(SCHEMA, worker_id="w", jobs=unqueued)
    if queued:
        yield release_claim(SCHEMA, worker_id="w", jobs=queued)
        yield release_and_take_next(
            SCHEMA,
            worker_id="w",
            jobs=queued,
            task_ids=[1],
            forbidden_flags=None,
            now=None,
            details=True,
        )
        queue_ids = [job.queue_id for job in queued if job.queue_id is not None]
        yield announce_freed_queues(SCHEMA, queue_ids=queue_ids, by_index=True, now=None)
    yield release_completed(SCHEMA, worker_id="w", jobs=jobs)
    failed = Unfinished(Verdict.SPENT, "no")
    yield release_unfinished(SCHEMA, worker_id="w", jobs=[(job, failed) for job in jobs])
    yield settle_row_locks(SCHEMA, worker_id="w", done=jobs[::2], unfinished=jobs[1::2], now=None)


@pytest.mark.parametrize("size", [5_000, pytest.param(100_000, marks=pytest.mark.full)])
@pytest.mark.parametrize("world", WORLDS)
async def test_a_plan_that_was_made_for_an_empty_table_does_for_a_full_one(
    gw_database: str, world: str, size: int
) -> None:
    """A worker plans its statements once, maybe years before, or in the night when all is done."""
    empty: dict[str, Any] = dict.fromkeys(ClaimedJob._fields)
    nobody = ClaimedJob(**{**empty, "id": 0, "attempts": 1, "locked_at": 0.0})
    fakes = [nobody, nobody._replace(queue_id=0)]
    async with sql(gw_database) as db, as_workers_have_it(gw_database) as connection:
        await db.execute(f"vacuum analyze {JOBS}, {QUEUES}")
        names: dict[str, str] = {}
        locking = claim_by_row_lock(SCHEMA, task_ids=[1], forbidden_flags=None, now=None, limit=24)
        for statement in [*map(claim, Look), locking, *releases(fakes)]:
            names[statement.text] = f"asked_{len(names)}"
            await connection.execute(f"prepare {names[statement.text]} as {statement.text}")
            await carried_out(connection, names[statement.text], statement)
        await fill(db, world, size)
        for statement in [*map(claim, Look), locking]:
            if statement.name == Look.QUEUES.value and world.startswith("stuck"):
                continue  # without our index all of them are read
            check(await carried_out(connection, names[statement.text], statement))
        taking = claim(Look.HEADS)
        jobs = taking.decode(await db.fetch(taking.text, *taking.args))
        assert len(jobs) == 24
        for statement in releases(jobs):
            check(await carried_out(connection, names[statement.text], statement))


@pytest.mark.parametrize("size", SIZES)
async def test_every_free_queue_is_found_behind_those_that_are_locked(
    gw_database: str, size: int
) -> None:
    """Two queues hold all that is first in order; what is free is taken all the same."""
    async with filled(gw_database, "stuck behind two locked queues", size) as connection:
        await connection.execute(f"delete from {JOBS} where job_queue_id is null")
        await connection.execute(
            f"insert into {QUEUES} (queue_name) select 'free' || n from generate_series(1, 20) as n"
        )
        await connection.execute(
            f"insert into {JOBS} (task_id, job_queue_id) "
            f"select 1, id from {QUEUES}, generate_series(1, 3) where queue_name like 'free%'"
        )
        statement = claim(Look.HEADS)
        jobs = statement.decode(await connection.fetch(statement.text, *statement.args))
        assert len({job.queue_id for job in jobs}) == len(jobs) == 20
