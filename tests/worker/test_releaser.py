"""Outcomes on their way into the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from graphile_worker import Job, JobSpec, RawJobSpec, WorkerUtils
from graphile_worker.client.open_database import open_database
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import COMPLETED, Outcome, Unfinished, Verdict
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.task_ids import register_tasks
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.tasks.registry import TaskRegistry
from graphile_worker.worker.claim_rules import ClaimRules
from graphile_worker.worker.kept_queues import KeptQueues
from graphile_worker.worker.released import OnReleased
from graphile_worker.worker.releaser import Releaser
from graphile_worker.worker.steady_connection import SteadyConnection
from graphile_worker.worker.task_ids import TaskIds

SCHEMA = Schema("graphile_worker")


def nothing(*_: object, **__: object) -> None:
    pass


async def claimed(
    database: Database, utils: WorkerUtils, count: int, *, in_queues: bool = False
) -> list[ClaimedJob]:
    """So many jobs, added and claimed."""
    await utils.add_raw_jobs(
        RawJobSpec("t", spec=JobSpec(queue_name=f"q{n}") if in_queues else JobSpec())
        for n in range(count)
    )
    ids = list(await database.run(register_tasks(SCHEMA, ["t"])))
    claim = claim_jobs(
        SCHEMA,
        worker_id="w",
        task_ids=ids,
        forbidden_flags=None,
        now=None,
        limit=count,
        look=Look.QUEUES,
    )
    return await database.run(claim)


@asynccontextmanager
async def releasing(
    database: Database,
    *,
    on_released: OnReleased = nothing,
    on_completed: Callable[[list[ClaimedJob]], None] = nothing,
    more_start: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Releaser]:
    """One that runs."""
    connection = SteadyConnection(database, "release")
    rules = ClaimRules(
        schema=SCHEMA,
        identity=WorkerIdentity("w"),
        forbidden_flags=None,
        use_local_time=False,
        poll_interval=1.0,
        by_index=True,
    )
    kept_queues = KeptQueues(
        rules,
        TaskIds(SCHEMA, TaskRegistry([])),
        may_take=lambda: False,
        reserve=nothing,
        unreserve=nothing,
        start=nothing,
        on_slot_free=nothing,
    )
    releaser = Releaser(
        connection,
        rules,
        kept_queues,
        hurries=True,
        on_completed=on_completed,
        on_released=on_released,
        on_queue_freed=nothing,
        on_claim_lost=nothing,
        more_start=more_start,
    )
    run = asyncio.create_task(releaser.run())
    yield releaser
    await asyncio.wait_for(releaser.wait_empty(), 15)
    run.cancel()
    await connection.aclose()


@pytest.fixture
async def database(gw_database: str) -> AsyncIterator[Database]:
    database = await open_database(gw_database)
    yield database
    await database.aclose()


async def test_a_text_the_database_refuses_costs_neither_its_job_nor_the_others(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    released: set[int] = set()

    def on_released(job: ClaimedJob, _outcome: Outcome, *, lost: bool) -> None:
        assert not lost
        released.add(job.id)

    utils = WorkerUtils(database)
    jobs = await claimed(database, utils, 3)
    async with releasing(database, on_released=on_released) as releaser:
        for job, text in zip(jobs, ["fine", "lone \ud800", "fine"], strict=True):
            releaser.put(job, Unfinished(Verdict.SPENT, text))
        assert len(releaser.unreleased) == 3
    assert released == {job.id for job in jobs}

    async def stored(job: ClaimedJob) -> Job:
        found = await utils.get_job(job.id)
        assert found is not None
        return found

    rows = [await stored(job) for job in jobs]
    assert {(row.attempts, row.locked_by) for row in rows} == {(1, None)}
    assert [row.last_error == "fine" for row in rows] == [True, False, True]
    assert (rows[1].last_error or "").startswith("the error of this job could not be stored")
    assert "was refused" in caplog.text


@pytest.mark.parametrize(
    ("more_start", "in_queues", "statements"),
    [(True, False, [96]), (False, False, [24, 72]), (True, True, [24, 72])],
    ids=["buffered", "direct", "in queues"],
)
async def test_jobs_that_end_in_one_turn_of_the_loop_after_the_other_are_stored_together(
    database: Database,
    more_start: bool,
    in_queues: bool,
    statements: list[int],
) -> None:
    """As long as more jobs wait for their slots; otherwise the first are sent at once."""
    stored: list[int] = []
    first, *jobs = await claimed(database, WorkerUtils(database), 97, in_queues=in_queues)
    async with releasing(
        database,
        on_completed=lambda done: stored.append(len(done)),
        more_start=lambda: more_start,
    ) as releaser:
        releaser.put(first, COMPLETED)
        await asyncio.wait_for(releaser.wait_empty(), 15)
        for turn in range(4):
            for job in jobs[24 * turn : 24 * (turn + 1)]:
                releaser.put(job, COMPLETED)
            await asyncio.sleep(0)
    assert stored == [1, *statements]


async def test_outcomes_do_not_wait_for_handlers_that_keep_the_loop_busy(
    database: Database,
) -> None:
    stored: list[int] = []
    first, *jobs = await claimed(database, WorkerUtils(database), 40)
    async with releasing(
        database, on_completed=lambda done: stored.append(len(done)), more_start=lambda: True
    ) as releaser:
        releaser.put(first, COMPLETED)
        await asyncio.wait_for(releaser.wait_empty(), 15)
        for job in jobs:
            releaser.put(job, COMPLETED)
            time.sleep(0.005)  # noqa: ASYNC251 (the next handler works)
            await asyncio.sleep(0)
    assert stored[1] < 5
