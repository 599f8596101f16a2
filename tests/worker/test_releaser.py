"""Outcomes on their way into the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from support.releasing import claimed, releasing

from graphile_worker import Job, WorkerUtils
from graphile_worker.client.open_database import open_database
from graphile_worker.database.executor import Database
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import COMPLETED, Outcome, Unfinished, Verdict


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
