"""What a look everywhere says of queues, and that claims without one keep the order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import cycle

import asyncpg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.hot_path import as_workers_have_it, run

from graphile_worker.database.schema import Schema
from graphile_worker.jobs.claimed_job import (
    NO_QUEUED,
    NONE_FREE,
    QUEUED,
    QUEUED_AFTER,
    QUEUED_NEAR,
    ClaimedJob,
)
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.release_jobs import release_completed
from graphile_worker.worker.looks import Aim, Looks

SCHEMA = Schema("graphile_worker")
JOBS = "graphile_worker._private_jobs"
QUEUES = "graphile_worker._private_job_queues"
LIMIT = 2
SEEN = 2 * LIMIT + 16
"""Jobs that a claim of so many looks at, before it visits queues one by one."""


@pytest.fixture
async def connection(gw_database: str) -> AsyncIterator[asyncpg.Connection]:
    async with as_workers_have_it(gw_database) as connection:
        await connection.execute(
            "insert into graphile_worker._private_tasks (identifier) values ('t')"
        )
        yield connection


async def store(
    connection: asyncpg.Connection, queues: Sequence[int | None], *, locked: Sequence[int] = ()
) -> None:
    """Jobs in this order, each in the queue with this id."""
    await connection.execute(f"truncate {JOBS}, {QUEUES}")
    await connection.execute(
        f"insert into {QUEUES} (id, queue_name, locked_by, locked_at) overriding system value "
        "select id, id::text, case when id = any ($2) then 'other' end, "
        "case when id = any ($2) then now() end "
        "from unnest($1::integer[]) as id group by id",
        [queue for queue in queues if queue is not None],
        locked,
    )
    await connection.execute(
        f"insert into {JOBS} (id, task_id, run_at, job_queue_id) overriding system value "
        "select n, 1, now() - interval '1 day' + n * interval '1 second', queue "
        "from unnest($1::integer[]) with ordinality as j (queue, n)",
        queues,
    )


async def claim(connection: asyncpg.Connection, aim: Aim, limit: int) -> list[ClaimedJob]:
    statement = claim_jobs(
        SCHEMA,
        worker_id="w",
        task_ids=[1],
        forbidden_flags=None,
        now=None,
        limit=limit,
        look=aim.look,
        start=aim.start,
    )
    return await run(connection, statement)


@pytest.mark.parametrize(
    ("queues", "locked", "says"),
    [
        ([None] * 3, [], NO_QUEUED),
        ([None, None, 1], [], QUEUED_NEAR),
        ([1, 1, 1, 1, 1, 2], [], QUEUED_NEAR),
        ([1] * (LIMIT + 7) + [2], [], QUEUED_NEAR),
        ([1] * (LIMIT + 8) + [2], [], QUEUED),
        ([None] * (SEEN - 1) + [1], [], QUEUED_NEAR),
        ([None] * SEEN + [1], [], QUEUED_AFTER + SEEN - LIMIT),
        ([None, None, 1, 1, None, 1], [1], QUEUED_AFTER + 1),
        ([1, 2, None, None], [1, 2], QUEUED_AFTER),
        ([1, 1, 2, None, None], [1], QUEUED_NEAR),
        ([1] * SEEN + [None, None], [1], NONE_FREE),
        ([1] * SEEN + [2, 3, 3, None, None], [1, 2, 3], NONE_FREE),
        ([1] * SEEN + [*range(2, 300)] + [None, None], range(300), QUEUED_AFTER),
        ([1] * SEEN + [None, None, 2], [1], QUEUED),  # found on the way round
    ],
)
async def test_a_look_everywhere_says_what_comes_next(
    connection: asyncpg.Connection, queues: list[int | None], locked: list[int], says: int
) -> None:
    await store(connection, queues, locked=locked)
    jobs = await claim(connection, Aim(Look.HEADS), LIMIT)
    assert len(jobs) == LIMIT
    assert {job.queued for job in jobs} == {says}


WORLD = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([None, None, None, "queue"]), st.integers(1, 20)),
        st.tuples(st.just("locked"), st.integers(1, 5)),
    )
)


@given(world=WORLD, limits=st.lists(st.sampled_from([1, 2, 5, 9]), min_size=1))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_jobs_come_in_the_order_in_which_looks_everywhere_would_bring_them(
    connection: asyncpg.Connection, world: list[tuple[str | None, int]], limits: list[int]
) -> None:
    """Each queue has one job, so that its order is that of all jobs.

    One queue is locked. It has too few jobs to hide all others: then looks everywhere would begin
    at a random queue.
    """
    kinds = [kind for kind, times in world for _ in range(times)]
    assume(kinds.count("locked") < SEEN - 2 * LIMIT)
    queues = [{None: None, "locked": 1}.get(kind, n) for n, kind in enumerate(kinds, 2)]
    await store(connection, queues, locked=[1])
    looks = Looks(by_index=True)
    claimed: list[int] = []
    turns = cycle(limits)
    while len(claimed) < len(kinds) - kinds.count("locked"):
        limit = next(turns)
        aim = looks.next(limit)
        jobs = await claim(connection, aim, limit)
        looks.claimed(jobs, aim, 0.0, limit)
        claimed += [job.id for job in jobs]
        await run(connection, release_completed(SCHEMA, worker_id="w", jobs=jobs))
    assert claimed == sorted(claimed)


@given(world=WORLD, limit=st.sampled_from([1, 2, 5, 9]), by=st.sampled_from([1, 3]))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_a_look_at_the_first_takes_what_a_look_everywhere_would_or_fewer(
    connection: asyncpg.Connection, world: list[tuple[str | None, int]], limit: int, by: int
) -> None:
    """With some jobs of each queue, one after the other or not."""
    kinds = [kind for kind, times in world for _ in range(times)]
    assume(kinds.count("locked") < SEEN - 2 * LIMIT)
    queues = [{None: None, "locked": 1}.get(kind, 2 + n // by) for n, kind in enumerate(kinds)]
    taken: list[list[int]] = []
    for look in (Look.NEAR, Look.HEADS):
        await store(connection, queues, locked=[1])
        taken.append([job.id for job in await claim(connection, Aim(look), limit)])
    near, everywhere = taken
    assert len(near) < limit or near == everywhere
    assert near == everywhere[: len(near)]
