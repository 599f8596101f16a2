"""What claims of queued jobs do when the world changes under their snapshot.

B takes its snapshot and waits on an advisory lock, A changes the world and commits, B goes on: it
then meets rows that are newer than what it has seen (READ COMMITTED, EvalPlanQual).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import pytest

from graphile_worker.database.executor import Connection
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.drivers.connect import connect
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Unfinished, Verdict
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.release_jobs import (
    Advanced,
    release_and_take_next,
    release_completed,
    release_unfinished,
)
from graphile_worker.queries.task_ids import register_tasks
from graphile_worker.worker.steady_connection import HOT_PATH_SETTINGS

# Waiting is what these tests are about, and a slow machine must not end it.
SETTINGS = HOT_PATH_SETTINGS | {"lock_timeout": "0"}
SCHEMA = Schema("graphile_worker")
GATE = 4711
T = TypeVar("T")


@dataclasses.dataclass
class World:
    """Two workers and an onlooker; `q0` holds the first jobs of all, J1, J2 and J3."""

    a: Connection
    b: Connection
    sql: asyncpg.Connection
    task_ids: list[int]
    look: Look
    held: list[ClaimedJob] = dataclasses.field(default_factory=list)

    def claim(self, worker: str, limit: int) -> Statement[list[ClaimedJob]]:
        return claim_jobs(
            SCHEMA,
            worker_id=worker,
            task_ids=self.task_ids,
            forbidden_flags=None,
            now=None,
            limit=limit,
            look=self.look,
        )

    async def a_claims(self) -> ClaimedJob:
        [job] = await self.a.run(self.claim("a", 1))
        assert job.queue_name == "q0"
        return job


async def nothing(_world: World) -> None:
    pass


async def claimed(world: World) -> None:
    await world.a_claims()


async def completed(world: World) -> None:
    job = await world.a_claims()
    assert await world.a.run(release_completed(SCHEMA, worker_id="a", jobs=[job])) == {job.id: True}


async def failed(world: World, delay: float) -> None:
    job = await world.a_claims()
    outcome = Unfinished(Verdict.SPENT, "failed", delay)
    statement = release_unfinished(SCHEMA, worker_id="a", jobs=[(job, outcome)])
    assert await world.a.run(statement) == {job.id: True}


async def failed_for_later(world: World) -> None:
    await failed(world, 3600)


async def failed_for_now(world: World) -> None:
    await failed(world, 0)


async def completed_and_claimed_the_next(world: World) -> None:
    await completed(world)
    await world.a_claims()


async def moved_the_head(world: World, queue: str | None) -> None:
    await world.sql.fetch(
        "select from graphile_worker.add_job('t', queue_name => $1, job_key => 'J1', "
        "run_at => now() - interval '3 hours')",
        queue,
    )


async def moved_the_head_to_another_queue(world: World) -> None:
    await moved_the_head(world, "q1")


async def moved_the_head_out_of_its_queue(world: World) -> None:
    await moved_the_head(world, None)


async def moved_a_free_job_into_the_queue(world: World) -> None:
    await world.sql.fetch(
        "select from graphile_worker.add_job('t', queue_name => 'q0', job_key => 'free', "
        "run_at => now() - interval '3 hours')"
    )


async def removed_the_head(world: World) -> None:
    await world.sql.fetch("select graphile_worker.remove_job('J1')")


async def replaced_the_running_head(world: World) -> None:
    """The key of a running job is taken by a new job, at the end of the same queue."""
    await claimed(world)
    await moved_the_head(world, "q0")


async def claimed_a_newer_head(world: World) -> None:
    """J1 stays available: the queue's own lock alone keeps B away from it."""
    await world.sql.fetch(
        "select from graphile_worker.add_job('t', queue_name => 'q0', priority => -1)"
    )
    await claimed(world)


async def paused_the_queue(world: World) -> None:
    await world.sql.execute(
        "update graphile_worker._private_job_queues set locked_by = 'paused:', "
        "locked_at = '9999-12-31' where queue_name = 'q0'"
    )


CHANGES = [
    nothing,
    claimed,
    completed,
    failed_for_later,
    failed_for_now,
    completed_and_claimed_the_next,
    moved_the_head_to_another_queue,
    moved_the_head_out_of_its_queue,
    moved_a_free_job_into_the_queue,
    removed_the_head,
    claimed_a_newer_head,
    replaced_the_running_head,
    paused_the_queue,
]


@asynccontextmanager
async def a_world(url: str, queues: int, look: Look) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        sql = await asyncpg.connect(url)
        stack.push_async_callback(sql.close)
        database = await connect(url, max_connections=1)
        stack.push_async_callback(database.aclose)
        task_ids = list(await database.run(register_tasks(SCHEMA, ["t"])))
        workers = [await database.dedicated(name, settings=SETTINGS) for name in "ab"]
        for worker in workers:
            stack.push_async_callback(worker.aclose)
        # First all of q0, then rounds of one job a queue; unqueued ones come last.
        await sql.execute(
            """
            select graphile_worker.add_job(
              't',
              queue_name => 'q' || q,
              run_at => now() - interval '1 hour' * case when q = 0 then 2 else 1 end
                + n * interval '1 minute' + q * interval '1 ms',
              job_key => case when q = 0 then 'J' || n end
            )
            from generate_series(1, 3) as n, generate_series(0, $1 - 1) as q
            """.replace("$1", str(queues))
        )
        await sql.execute(
            "select graphile_worker.add_job('t', job_key => case when n = 1 then 'free' end, "
            "run_at => now() - interval '30 minutes') from generate_series(1, 3) as n"
        )
        yield World(workers[0], workers[1], sql, task_ids, look)


def gated(statement: Statement[T]) -> Statement[T]:
    """The same statement, but it waits between its snapshot and its first lock."""
    gate = f"gate as materialized (select pg_advisory_xact_lock_shared({GATE}))"
    name = "locked" if statement.name == "release_and_take_next" else "locked_queues"
    before, locking, after = statement.text.partition(f"{name} as materialized (")
    after = after.replace("\n  where ", "\n  cross join gate\n  where ", 1)
    text = f"{before}{gate}, {locking}{after}"
    assert text.count("gate") == 2
    return dataclasses.replace(statement, text=text)


async def until_b_waits(sql: asyncpg.Connection) -> None:
    async with asyncio.timeout(15):
        while not await sql.fetchval(
            "select exists (select from pg_locks join pg_database as d on d.oid = database "
            "where locktype = 'advisory' and not granted and datname = current_database())"
        ):
            await asyncio.sleep(0.005)


async def b_sends_across(
    world: World, statement: Statement[T], change: Callable[[World], Awaitable[None]]
) -> T:
    await world.sql.execute(f"select pg_advisory_lock({GATE})")
    sending = asyncio.create_task(world.b.run(gated(statement)))
    await until_b_waits(world.sql)
    await change(world)
    await world.sql.execute(f"select pg_advisory_unlock({GATE})")
    return await asyncio.wait_for(sending, 15)


async def violations(sql: asyncpg.Connection) -> list[str]:
    """What must not be in any snapshot of the database."""
    return [
        f"{row['what']}: {row['queue_name']}"
        for row in await sql.fetch(
            """
            select q.queue_name, v.what
            from graphile_worker._private_job_queues as q
            cross join lateral (
              select count(*) as running, min(j.locked_by) as owner, min(j.locked_at) as since
              from graphile_worker._private_jobs as j
              where j.job_queue_id = q.id and j.locked_at is not null
            ) as r
            cross join lateral (
              select 'two jobs at once' as what where r.running > 1
              union all
              select 'locked without a job' where r.running = 0 and q.locked_by not like 'paused:%'
              union all
              select 'running, but not locked for it'
              where r.running = 1
                and (q.locked_by, q.locked_at) is distinct from (r.owner, r.since)
            ) as v
            """
        )
    ]


async def out_of_order(sql: asyncpg.Connection, claimed: list[ClaimedJob]) -> list[int]:
    """Claimed jobs before which another of their queue was due when the claim began."""
    return [
        row["id"]
        for row in await sql.fetch(
            """
            select j.id
            from graphile_worker._private_jobs as j
            join graphile_worker._private_jobs as earlier
              on earlier.job_queue_id = j.job_queue_id
              and earlier.is_available
              and earlier.run_at <= j.locked_at
              and earlier.updated_at < j.locked_at
              and (earlier.priority, earlier.run_at, earlier.id) < (j.priority, j.run_at, j.id)
            where j.id = any($1::bigint[])
            """,
            [job.id for job in claimed],
        )
    ]


LOOKS = pytest.mark.parametrize("look", [Look.QUEUES, Look.HEADS])


@LOOKS
@pytest.mark.parametrize("limit", [1, 24])
@pytest.mark.parametrize("queues", [2, 40])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_a_claim_whose_snapshot_is_stale_breaks_no_queue(
    gw_database: str,
    change: Callable[[World], Awaitable[None]],
    queues: int,
    limit: int,
    look: Look,
) -> None:
    async with a_world(gw_database, queues, look) as world:
        got = await b_sends_across(world, world.claim("b", limit), change)
        queues_got = [job.queue_name for job in got if job.queue_name is not None]
        assert len(queues_got) == len(set(queues_got))
        assert ("q0" in queues_got) == (change in {nothing, moved_a_free_job_into_the_queue})
        assert await violations(world.sql) == []
        assert await out_of_order(world.sql, got) == []


@LOOKS
@pytest.mark.parametrize("queues", [2, 40])
async def test_a_queue_row_that_another_session_holds_is_passed_over(
    gw_database: str, queues: int, look: Look
) -> None:
    async with a_world(gw_database, queues, look) as world:
        async with world.a.transaction():
            await world.a.raw.execute(
                "select from graphile_worker._private_job_queues where queue_name = 'q0' for update"
            )
            got = await asyncio.wait_for(world.b.run(world.claim("b", 24)), 15)
        assert "q0" not in {job.queue_name for job in got}
        # The place in the batch that was meant for q0 stays empty.
        assert len(got) >= min(24, queues - 1 + 3) - (look is Look.HEADS)
        assert await violations(world.sql) == []


async def removed_the_next(world: World) -> None:
    await world.sql.fetch("select graphile_worker.remove_job('J2')")


async def moved_the_next(world: World, queue: str | None, when: str) -> None:
    await world.sql.fetch(
        "select from graphile_worker.add_job('t', queue_name => $1, job_key => 'J2', "
        f"run_at => now() + interval '{when}')",
        queue,
    )


async def moved_the_next_to_another_queue(world: World) -> None:
    await moved_the_next(world, "q1", "-3 hours")


async def rescheduled_the_next(world: World) -> None:
    await moved_the_next(world, "q0", "1 hour")


async def gave_back_what_b_held(world: World) -> None:
    """As a sweep does with a worker that fell silent."""
    await world.sql.execute(
        "update graphile_worker._private_jobs set locked_by = null, locked_at = null "
        "where locked_by = 'b'"
    )
    await world.sql.execute(
        "update graphile_worker._private_job_queues set locked_by = null, locked_at = null "
        "where locked_by = 'b'"
    )


async def gave_back_and_claimed(world: World) -> None:
    await gave_back_what_b_held(world)
    await world.a_claims()


async def replaced_the_running_one(world: World) -> None:
    await moved_the_head(world, "q0")


STEPS: dict[Callable[[World], Awaitable[None]], str | None] = {
    nothing: "J2",
    removed_the_next: None,
    moved_the_next_to_another_queue: None,
    rescheduled_the_next: None,
    moved_a_free_job_into_the_queue: "J2",
    gave_back_what_b_held: None,
    gave_back_and_claimed: None,
    replaced_the_running_one: "J2",
}
"""What the other session does, and which job of the queue is taken then."""


def going_on(world: World, job: ClaimedJob) -> Statement[Advanced]:
    return going_on_with(world, [job])


def going_on_with(world: World, jobs: list[ClaimedJob]) -> Statement[Advanced]:
    return release_and_take_next(
        SCHEMA,
        worker_id="b",
        jobs=jobs,
        task_ids=world.task_ids,
        forbidden_flags=None,
        now=None,
        details=True,
    )


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
async def test_going_on_with_a_stale_snapshot_breaks_no_queue(
    gw_database: str, step: Callable[[World], Awaitable[None]]
) -> None:
    async with a_world(gw_database, 2, Look.HEADS) as world:
        [job] = await world.b.run(world.claim("b", 1))
        answer = await b_sends_across(world, going_on(world, job), step)
        taken = [after.key for after in answer.taken.values()]
        assert taken == ([STEPS[step]] if STEPS[step] else [])
        # What the snapshot shows as ours and cannot be locked is tried again, and missed then.
        lost = step in {gave_back_what_b_held, gave_back_and_claimed}
        assert answer.stored == {job.id: not lost}
        if lost:
            assert await world.b.run(going_on(world, job)) == Advanced({}, {})
        assert await violations(world.sql) == []
        assert await out_of_order(world.sql, list(answer.taken.values())) == []


async def test_going_on_takes_the_jobs_of_a_queue_in_their_order(gw_database: str) -> None:
    async with a_world(gw_database, 2, Look.HEADS) as world:
        [job] = await world.b.run(world.claim("b", 1))
        order = [job.key]
        while (answer := await world.b.run(going_on(world, job))).taken:
            assert await violations(world.sql) == []
            job = answer.taken[job.id]
            order.append(job.key)
        assert order == ["J1", "J2", "J3"]
        free = await world.sql.fetchval(
            "select is_available from graphile_worker._private_job_queues where queue_name = 'q0'"
        )
        assert free


async def test_a_job_that_another_session_holds_is_not_released_and_its_queue_not_left(
    gw_database: str,
) -> None:
    async with a_world(gw_database, 2, Look.HEADS) as world:
        [job] = await world.b.run(world.claim("b", 1))
        async with world.a.transaction():
            await world.a.raw.execute(
                "select from graphile_worker._private_jobs where key = 'J1' for update"
            )
            answer = await asyncio.wait_for(world.b.run(going_on(world, job)), 15)
        assert answer == Advanced({job.id: False}, {})
        assert await violations(world.sql) == []


async def test_a_queue_is_not_unlocked_by_a_job_that_lost_it_while_another_of_ours_is_blocked(
    gw_database: str,
) -> None:
    """One batch of outcomes: the first run of a queue, which was taken from us, and the second."""
    async with a_world(gw_database, 2, Look.HEADS) as world:
        [first] = await world.b.run(world.claim("b", 1))
        await removed_the_head(world)
        await gave_back_what_b_held(world)
        await world.sql.execute("delete from graphile_worker._private_jobs where id = $1", first.id)
        [second] = await world.b.run(world.claim("b", 1))
        assert first.queue_id == second.queue_id
        failed = [(job, Unfinished(Verdict.SPENT, "no")) for job in (first, second)]
        async with world.a.transaction():
            await world.a.raw.execute(
                "select from graphile_worker._private_jobs where id = $1 for update", second.id
            )
            for release in (
                release_completed(SCHEMA, worker_id="b", jobs=[first, second]),
                release_unfinished(SCHEMA, worker_id="b", jobs=failed),
            ):
                assert await world.b.run(release) == {second.id: False}
                assert await violations(world.sql) == []
            answer = await world.b.run(going_on_with(world, [first, second]))
        assert answer == Advanced({second.id: False}, {})
        assert await violations(world.sql) == []


@pytest.mark.parametrize("release", ["completed", "unfinished", "going on"])
async def test_a_queue_whose_row_changes_meanwhile_is_unlocked_all_the_same(
    gw_database: str, release: str
) -> None:
    """PostgreSQL looks at the row again then, and must not lock and look for jobs again."""
    async with a_world(gw_database, 2, Look.HEADS) as world:
        [job] = await world.b.run(world.claim("b", 1))
        failed = Unfinished(Verdict.SPENT, "no", 3600)
        statements: dict[str, Statement[Any]] = {
            "completed": release_completed(SCHEMA, worker_id="b", jobs=[job]),
            "unfinished": release_unfinished(SCHEMA, worker_id="b", jobs=[(job, failed)]),
            "going on": going_on(world, job),
        }
        async with world.a.transaction():
            await world.a.raw.execute(
                "update graphile_worker._private_job_queues set queue_name = queue_name "
                "where id = $1",
                job.queue_id,
            )
            sending = asyncio.create_task(world.b.run(statements[release]))
            async with asyncio.timeout(15):
                while not await world.sql.fetchval(
                    "select exists (select from pg_stat_activity where wait_event_type = 'Lock' "
                    "and datname = current_database())"
                ):
                    await asyncio.sleep(0.005)
        await asyncio.wait_for(sending, 15)
        assert await violations(world.sql) == []
        assert await world.sql.fetchval(
            "select is_available from graphile_worker._private_job_queues where id = $1",
            job.queue_id,
        )
