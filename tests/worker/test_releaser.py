"""Outcomes that the database refuses."""

from __future__ import annotations

import asyncio

import pytest

from graphile_worker import Job, WorkerUtils
from graphile_worker.client.open_database import open_database
from graphile_worker.database.schema import Schema
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Outcome, Unfinished, Verdict
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.task_ids import register_tasks
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.tasks.registry import TaskRegistry
from graphile_worker.worker.claim_rules import ClaimRules
from graphile_worker.worker.kept_queues import KeptQueues
from graphile_worker.worker.releaser import Releaser
from graphile_worker.worker.steady_connection import SteadyConnection
from graphile_worker.worker.task_ids import TaskIds

SCHEMA = Schema("graphile_worker")


def nothing(*_: object) -> None:
    pass


async def test_a_text_the_database_refuses_costs_neither_its_job_nor_the_others(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = await open_database(gw_database)
    connection = SteadyConnection(database, "release")
    released: asyncio.Queue[int] = asyncio.Queue()

    def on_released(job: ClaimedJob, _outcome: Outcome, *, lost: bool) -> None:
        assert not lost
        released.put_nowait(job.id)

    async with WorkerUtils.connect(gw_database) as utils:
        added = [await utils.add_raw_job("t") for _ in range(3)]
        ids = list(await database.run(register_tasks(SCHEMA, ["t"])))
        claim = claim_jobs(
            SCHEMA,
            worker_id="w",
            task_ids=ids,
            forbidden_flags=None,
            now=None,
            limit=3,
            look=Look.QUEUES,
        )
        claimed = await database.run(claim)
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
            on_completed=nothing,
            on_released=on_released,
            on_queue_freed=nothing,
            on_claim_lost=nothing,
        )
        for job, text in zip(claimed, ["fine", "lone \ud800", "fine"], strict=True):
            releaser.put(job, Unfinished(Verdict.SPENT, text))
        assert len(releaser.unreleased) == 3
        run = asyncio.create_task(releaser.run())
        await asyncio.wait_for(releaser.wait_empty(), 15)
        run.cancel()
        assert {released.get_nowait() for _ in added} == {job.id for job in added}

        async def stored(job: Job) -> Job:
            found = await utils.get_job(job.id)
            assert found is not None
            return found

        rows = [await stored(job) for job in added]
    await connection.aclose()
    await database.aclose()
    assert {(row.attempts, row.locked_by) for row in rows} == {(1, None)}
    assert [row.last_error == "fine" for row in rows] == [True, False, True]
    assert (rows[1].last_error or "").startswith("the error of this job could not be stored")
    assert "was refused" in caplog.text
