"""Claims that go on where the last one ended: nothing twice, nothing forgotten, and little read."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.hot_path import as_workers_have_it, run
from support.running import sql

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.jobs.claimed_job import NO_QUEUED, QUEUED, ClaimedJob
from graphile_worker.queries.claim_jobs import FRONT, Look, Place, claim_jobs, place_after
from graphile_worker.queries.row_locks import claim_by_row_lock

SCHEMA = Schema("graphile_worker")
JOBS = "graphile_worker._private_jobs"
QUEUES = "graphile_worker._private_job_queues"
EPOCH = "to_timestamp(1767225600.123456)"
MOST_PAGES = 400
"""Looked at by a claim of 24 jobs in the middle of a tie: most in the indexes of what it writes."""

Kind = Literal["row", "lock"]
KINDS = pytest.mark.parametrize("kind", ["row", "lock"])


def claim(kind: Kind, start: Place, limit: int) -> Statement[list[ClaimedJob]]:
    rules: dict[str, Any] = {"task_ids": [1], "forbidden_flags": ["no"], "now": None}
    if kind == "lock":
        return claim_by_row_lock(SCHEMA, **rules, limit=limit, start=start)
    return claim_jobs(SCHEMA, worker_id="w", **rules, limit=limit, look=Look.PLAIN, start=start)


@dataclass(frozen=True)
class Stored:
    """One row; only the plain ones can be claimed."""

    priority: int
    second: int
    kind: Literal["plain", "unknown task", "forbidden", "in a queue", "held", "later"]


ROWS = st.lists(
    st.builds(
        Stored,
        priority=st.sampled_from([0, 0, 0, 1]),
        second=st.sampled_from([0, 0, 0, 0, 1, 2]),
        kind=st.sampled_from(
            ["plain"] * 6 + ["unknown task", "forbidden", "in a queue", "held", "later"]
        ),
    ),
    max_size=40,
)


async def store(connection: asyncpg.Connection, rows: list[Stored]) -> None:
    """A table of these, in an order on disk that is not that of the ids."""
    await connection.execute(f"truncate {JOBS}, {QUEUES}")
    order = list(enumerate(rows, 1))
    random.Random(len(rows)).shuffle(order)
    for id_, row in order:
        await connection.execute(
            f"insert into {JOBS} (id, task_id, priority, run_at, flags, job_queue_id, locked_at) "
            "overriding system value "
            f"values ($1, $2, $3, {EPOCH} + make_interval(secs => $4), $5, $6, $7)",
            id_,
            2 if row.kind == "unknown task" else 1,
            row.priority,
            row.second + (10**10 if row.kind == "later" else 0),
            '{"no": true}' if row.kind == "forbidden" else None,
            1 if row.kind == "in a queue" else None,
            None if row.kind != "held" else await connection.fetchval("select now()"),
        )


@pytest.fixture
async def connection(gw_database: str) -> AsyncIterator[asyncpg.Connection]:
    async with sql(gw_database) as connection:
        await connection.execute(
            "insert into graphile_worker._private_tasks (identifier) values ('t'), ('other')"
        )
        yield connection


def place_of(row: Stored) -> tuple[int, int]:
    return row.priority, row.second


@KINDS
@given(rows=ROWS, limit=st.integers(1, 9))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_one_claim_after_the_other_takes_all_jobs_once_and_in_order(
    connection: asyncpg.Connection, kind: Kind, rows: list[Stored], limit: int
) -> None:
    """Each brings as many as it may, as long as so many are left from its place on."""
    left = {id_ for id_, row in enumerate(rows, 1) if row.kind == "plain"}
    reached = FRONT
    await store(connection, rows)
    async with connection.transaction():
        while left:
            from_here = {
                id_
                for id_ in left
                if reached == FRONT or place_of(rows[id_ - 1]) >= (reached.priority, here(reached))
            }
            jobs = await run(connection, claim(kind, reached, limit))
            taken = {job.id for job in jobs}
            if kind == "lock":
                # Its own locks do not keep a transaction out; others have to pass by.
                await connection.execute(f"delete from {JOBS} where id = any ($1)", list(taken))
            assert taken <= from_here
            assert len(taken) == len(jobs) == min(limit, len(from_here))
            others = [place_of(rows[id_ - 1]) for id_ in from_here - taken]
            assert max(place_of(rows[job.id - 1]) for job in jobs) <= min(others, default=(9, 9))
            left -= taken
            reached = place_after(jobs) if len(jobs) == limit else FRONT
        assert await run(connection, claim(kind, FRONT, limit)) == []


def here(place: Place) -> int:
    return round(place.run_at - 1767225600.123456)


@pytest.mark.parametrize("by_index", [True, False])
async def test_a_plain_claim_tells_of_jobs_in_queues(
    connection: asyncpg.Connection, by_index: bool
) -> None:
    """Without our index it tells of queues, which may have none."""

    async def told() -> set[int]:
        statement = claim_jobs(
            SCHEMA,
            worker_id="w",
            task_ids=[1],
            forbidden_flags=None,
            now=None,
            limit=9,
            look=Look.PLAIN,
            by_index=by_index,
        )
        return {job.queued for job in await run(connection, statement)}

    await store(connection, [Stored(0, 0, "plain")])
    assert await told() == {NO_QUEUED}
    await store(connection, [Stored(0, 0, "plain"), Stored(0, 0, "in a queue")])
    await connection.execute(f"insert into {QUEUES} (queue_name) values ('q')")
    assert await told() == {QUEUED}
    await connection.execute(f"delete from {JOBS} where job_queue_id is not null")
    await connection.execute(f"update {JOBS} set locked_at = null")
    assert await told() == {NO_QUEUED if by_index else QUEUED}


@KINDS
@pytest.mark.parametrize("size", [30_000, pytest.param(300_000, marks=pytest.mark.full)])
@pytest.mark.parametrize("analyzed", ["empty", "full"])
async def test_in_the_middle_of_a_tie_jobs_that_are_gone_are_not_read_again(
    gw_database: str, connection: asyncpg.Connection, kind: Kind, size: int, analyzed: str
) -> None:
    """Whether the planner knows of the jobs or not."""
    if analyzed == "empty":
        await connection.execute(f"analyze {JOBS}")
    await connection.execute(
        f"insert into {JOBS} (task_id, run_at) select 1, {EPOCH} from generate_series(1, $1)", size
    )
    if analyzed == "full":
        await connection.execute(f"vacuum analyze {JOBS}")
    async with (
        as_workers_have_it(gw_database) as worker,
        sql(gw_database) as old,
        old.transaction(isolation="repeatable_read"),
    ):
        await old.fetchval(f"select count(*) from {JOBS}")  # so that what is deleted stays
        await connection.execute(f"delete from {JOBS} where id <= $1", size // 2)
        last = await connection.fetchrow(
            f"select id, date_part('epoch', run_at) as run_at from {JOBS} order by id limit 1"
        )
        start = Place(0, last["run_at"], last["id"])
        async with worker.transaction():
            jobs = await run(worker, claim(kind, start, 24))
            assert [job.id for job in jobs] == list(range(last["id"] + 1, last["id"] + 25))
        by_id = await pages(worker, claim(kind, start, 24))
        by_time = await pages(worker, claim(kind, start._replace(id=None), 24))
    assert by_id < MOST_PAGES
    assert by_time > by_id + size // 200


async def pages(connection: asyncpg.Connection, statement: Statement[Any]) -> int:
    """How many a statement looks at; it is undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        rows = await connection.fetch(
            f"explain (analyze, buffers, timing off, format json) {statement.text}",
            *statement.args,
        )
    finally:
        await transaction.rollback()
    plan = json.loads(rows[0][0])[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
