"""What claims and releases read does not grow with the tables."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.freed_queues import announce_freed_queues
from graphile_worker.queries.release_jobs import (
    release_and_take_next,
    release_claim,
    release_completed,
)
from graphile_worker.worker.steady_connection import HOT_PATH_SETTINGS

SCHEMA = Schema("graphile_worker")
JOBS = "graphile_worker._private_jobs"
QUEUES = "graphile_worker._private_job_queues"
MOST_PAGES = 6_000
"""Looked at by one statement for 24 jobs; most need less than a thousand."""
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
    connection = await asyncpg.connect(url)
    await connection.execute("insert into graphile_worker._private_tasks (identifier) values ('t')")
    text = WORLDS[world].format(
        rows=f"generate_series(1, {size}) as n",
        due="now() - interval '1 hour' + n * interval '1 ms'",
    )
    await connection.execute(text)
    await connection.execute(f"vacuum analyze {JOBS}, {QUEUES}")
    await connection.close()
    connection = await asyncpg.connect(url, server_settings=dict(HOT_PATH_SETTINGS))
    try:
        yield connection
    finally:
        await connection.close()


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
    literals = ", ".join(literal(value) for value in statement.args)
    transaction = connection.transaction()
    await transaction.start()
    try:
        # Once for each text: the plan is the generic one, as it is for a worker's claims.
        await connection.execute(f"prepare asked as {statement.text}")
        [[plan]] = await connection.fetch(
            f"explain (analyze, buffers, format json) execute asked ({literals})"
        )
        await connection.execute("deallocate asked")
    finally:
        await transaction.rollback()
    return json.loads(plan)[0]["Plan"]


def literal(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool() | int():
            return str(value).lower()
        case float() if math.isfinite(value):
            return repr(value)
        case list():
            return "array[" + ", ".join(literal(item) for item in value) + "]"
        case _:
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
    return max(int(node.get("Rows Removed by Filter", 0)) for node in nodes(plan))


def check(plan: dict[str, Any]) -> None:
    assert scans_of_whole_tables(plan) == []
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < MOST_PAGES
    assert most_rows_thrown_away(plan) < 1000


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("world", WORLDS)
async def test_a_claim_reads_no_more_of_a_large_table(
    gw_database: str, world: str, size: int
) -> None:
    async with filled(gw_database, world, size) as connection:
        check(await explained(connection, claim(Look.HEADS)))
        check(await explained(connection, claim(Look.PLAIN)))


@pytest.mark.parametrize("size", SIZES)
async def test_a_release_reads_no_more_of_a_large_table(gw_database: str, size: int) -> None:
    async with filled(gw_database, "half in a thousand queues", size) as connection:
        statement = claim(Look.HEADS, 64)
        rows = await connection.fetch(statement.text, *statement.args)
        jobs = statement.decode(rows)
        queued = [job for job in jobs if job.queue_id is not None]
        unqueued = [job for job in jobs if job.queue_id is None]
        assert len(queued) > 10
        assert len(unqueued) > 10
        for ones in (unqueued, queued):
            check(await explained(connection, release_claim(SCHEMA, worker_id="w", jobs=ones)))
        check(await explained(connection, release_completed(SCHEMA, worker_id="w", jobs=queued)))
        check(
            await explained(
                connection,
                release_and_take_next(
                    SCHEMA,
                    worker_id="w",
                    jobs=queued,
                    task_ids=[1],
                    forbidden_flags=None,
                    now=None,
                    details=True,
                ),
            )
        )
        queue_ids = [job.queue_id for job in queued if job.queue_id is not None]
        check(
            await explained(
                connection,
                announce_freed_queues(SCHEMA, queue_ids=queue_ids, by_index=True, now=None),
            )
        )


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
