"""Many sessions claim, release, add by key and remove at once; nothing may break a queue.

Every statement is atomic, so what a queue promises has to hold in each snapshot: an onlooker asks
for violations all the time. The claimers keep books of their own besides.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack, suppress

import asyncpg

from graphile_worker.database.executor import Connection
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Unfinished, Verdict
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.release_jobs import (
    release_and_take_next,
    release_completed,
    release_unfinished,
)
from graphile_worker.queries.task_ids import register_tasks
from graphile_worker.worker.steady_connection import HOT_PATH_SETTINGS

# Waiting is what these tests are about, and a slow machine must not end it.
SETTINGS = HOT_PATH_SETTINGS | {"lock_timeout": "0"}
SCHEMA = Schema("graphile_worker")
SECONDS = 6
CLAIMERS = 8
QUEUES = 12
KEYS = 200

VIOLATIONS = """
select v.what
from graphile_worker._private_job_queues as q
cross join lateral (
  select count(*) as running, min(j.locked_by) as owner, min(j.locked_at) as since
  from graphile_worker._private_jobs as j
  where j.job_queue_id = q.id and j.locked_at is not null
) as r
cross join lateral (
  select 'two jobs of a queue at once' as what where r.running > 1
  union all
  select 'a queue locked without a job' where r.running = 0 and q.locked_at is not null
  union all
  select 'a job without the lock of its queue'
  where r.running = 1 and (q.locked_by, q.locked_at) is distinct from (r.owner, r.since)
) as v
"""


class Books:
    """Who runs what, as the claimers see it."""

    def __init__(self) -> None:
        self.wrong: Counter[str] = Counter()
        self.claimed = self.went_on = 0
        self._jobs: set[int] = set()
        self._queues: set[int] = set()

    def starts(self, batch: list[ClaimedJob]) -> None:
        self.claimed += len(batch)
        queues = [job.queue_id for job in batch if job.queue_id is not None]
        self.wrong["two jobs of a queue in a batch"] += len(queues) - len(set(queues))
        self.wrong["a queue twice"] += len(self._queues.intersection(queues))
        self.wrong["a job twice"] += len(self._jobs.intersection(job.id for job in batch))
        self._queues.update(queues)
        self._jobs.update(job.id for job in batch)

    def ends(self, batch: list[ClaimedJob]) -> None:
        """To be called before the release is sent: after it, others may claim before we hear."""
        self._queues.difference_update(job.queue_id for job in batch if job.queue_id is not None)
        self._jobs.difference_update(job.id for job in batch)

    def settled(self, batch: list[ClaimedJob], stored: dict[int, bool]) -> list[ClaimedJob]:
        """The jobs to try again."""
        self.wrong["a release that missed"] += sum(job.id not in stored for job in batch)
        return [job for job in batch if stored.get(job.id) is False]


async def claimer(
    name: str, connection: Connection, task_ids: list[int], books: Books, deadline: float
) -> None:
    loop = asyncio.get_running_loop()
    held: list[ClaimedJob] = []
    blocked: list[ClaimedJob] = []
    while held or blocked or loop.time() < deadline:
        if loop.time() < deadline and len(held) < 50:
            statement = claim_jobs(
                SCHEMA,
                worker_id=name,
                task_ids=task_ids,
                forbidden_flags=random.choice([None, ["no"]]),
                now=None,
                limit=random.choice([1, 5, 24]),
                look=random.choice([Look.PLAIN, Look.NEAR, Look.QUEUES, Look.HEADS]),
            )
            batch = await connection.run(statement)
            books.starts(batch)
            held += batch
        random.shuffle(held)
        cut = random.randint(0, len(held))
        ending, held = held[:cut], held[cut:]
        books.ends(ending)
        half = random.randint(0, len(ending))
        completed, unfinished = ending[:half] + blocked, ending[half:]
        blocked = []
        if random.random() < 0.5:
            queued = [job for job in completed if job.queue_id is not None]
            completed = [job for job in completed if job.queue_id is None]
            answer = await connection.run(
                release_and_take_next(
                    SCHEMA,
                    worker_id=name,
                    jobs=queued,
                    task_ids=task_ids,
                    forbidden_flags=None,
                    now=None,
                    details=True,
                )
            )
            following = list(answer.taken.values())
            books.starts(following)
            books.went_on += len(following)
            held += following
            blocked = books.settled(queued, answer.stored)
        outcomes = [
            Unfinished(Verdict.REFUNDED, None, random.choice([0, 0.01])) for _ in unfinished
        ]
        blocked += books.settled(
            completed,
            await connection.run(release_completed(SCHEMA, worker_id=name, jobs=completed)),
        )
        pairs = list(zip(unfinished, outcomes, strict=True))
        again = books.settled(
            unfinished, await connection.run(release_unfinished(SCHEMA, worker_id=name, jobs=pairs))
        )
        blocked += again


async def producer(sql: asyncpg.Connection, deadline: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < deadline:
        if random.random() < 0.2:
            with suppress(asyncpg.DeadlockDetectedError):
                key = f"k{random.randrange(KEYS)}"
                await sql.fetch("select graphile_worker.remove_job($1)", key)
            continue
        # A claim waits for a row that changes again while its new version is looked for. The
        # lock_timeout of a worker ends that before a deadlock is found; here there is none.
        with suppress(asyncpg.DeadlockDetectedError):
            await add_some(sql)


async def add_some(sql: asyncpg.Connection) -> None:
    """In a transaction that is sometimes open for a while."""
    async with sql.transaction():
        await sql.fetch(
            """
            select from graphile_worker.add_jobs(array(
              select row(
                't' || n % 3, null, case when n % 4 > 0 then 'q' || (random() * $1)::int end,
                null, null, case when n % 2 = 0 then 'k' || k.number end,
                (random() * 2)::int, case when n % 5 = 0 then array['no'] end
              )::graphile_worker.job_spec
              from generate_series(1, 20) as n
              cross join lateral (select n * 10 + (random() * 9)::int as number) as k
            ))
            """,
            QUEUES - 1,
        )
        if random.random() < 0.3:
            await asyncio.sleep(0.005)


async def onlooker(sql: asyncpg.Connection, books: Books) -> None:
    while True:
        for row in await sql.fetch(VIOLATIONS):
            books.wrong[row["what"]] += 1
        await asyncio.sleep(0.002)


async def test_claims_releases_and_adds_at_once_break_no_queue(gw_database: str) -> None:
    books = Books()
    async with AsyncExitStack() as stack:
        database = await connect(gw_database, max_connections=1)
        stack.push_async_callback(database.aclose)
        task_ids = list(await database.run(register_tasks(SCHEMA, ["t0", "t1", "t2"])))
        connections = [
            await database.dedicated(f"claimer {n}", settings=SETTINGS) for n in range(CLAIMERS)
        ]
        for connection in connections:
            stack.push_async_callback(connection.aclose)
        sessions = [await asyncpg.connect(gw_database) for _ in range(3)]
        for session in sessions:
            stack.push_async_callback(session.close)
        deadline = asyncio.get_running_loop().time() + SECONDS
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(onlooker(sessions[0], books))
            async with asyncio.TaskGroup() as busy:
                for session in sessions[1:]:
                    busy.create_task(producer(session, deadline))
                for n, connection in enumerate(connections):
                    known = task_ids if n % 2 else random.sample(task_ids, 2)
                    busy.create_task(claimer(f"c{n}", connection, known, books, deadline))
            looking.cancel()
        left = await sessions[0].fetchval(
            "select count(*) from graphile_worker._private_jobs where locked_at is not null"
        )
    assert +books.wrong == {}
    assert left == 0
    assert books.claimed > 1000
    assert books.went_on > 100
