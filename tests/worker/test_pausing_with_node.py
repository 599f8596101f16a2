"""A queue that is paused here is paused there."""

from __future__ import annotations

import pytest
from support.node_worker import node_worker
from support.running import running, sql, until

from graphile_worker import JobSpec, WorkerUtils, task

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]


@task(payload=None)
async def greet() -> None: ...


@pytest.mark.parametrize("version", ["0.16.6", "0.17.3", "0.18.0"])
async def test_node_takes_no_job_of_a_paused_queue(version: str, gw_database: str) -> None:
    node = node_worker(version)
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        await utils.pause_queue("mail", by="ada")
        held = [await utils.add_raw_job("greet", None, JobSpec(queue_name="mail")) for _ in "ab"]
        await utils.add_raw_job("greet")
        await utils.add_raw_job("greet", None, JobSpec(queue_name="free"))
        node.run_once(gw_database)
        assert [job.id for job in await utils.list_jobs()] == [job.id for job in held]
        # Its command line cleans up too.
        node.run_once(gw_database, "--cleanup", "GC_JOB_QUEUES,GC_TASK_IDENTIFIERS")
        assert [queue.queue_name for queue in (await utils.paused()).queues] == ["mail"]

        await utils.resume_queue("mail")
        node.run_once(gw_database)
        assert await utils.list_jobs() == []
        assert await db.fetchval("select count(*) from graphile_worker.jobs") == 0


async def test_a_queue_that_node_runs_is_resumed_when_its_job_has_ended(gw_database: str) -> None:
    """Played by hand: what Node's statements write."""
    async with (
        WorkerUtils.connect(gw_database) as utils,
        sql(gw_database) as db,
        running(gw_database, tasks=[greet]),
    ):
        await utils.add_raw_job("elsewhere", None, JobSpec(queue_name="mail"))
        await db.execute(
            "update graphile_worker._private_jobs set locked_at = now(), locked_by = 'node'; "
            "update graphile_worker._private_job_queues set locked_at = now(), locked_by = 'node'"
        )
        await utils.pause_queue("mail")
        assert len((await utils.resume_queue("mail")).waits_for) == 1
        await db.execute(
            "delete from graphile_worker._private_jobs where locked_by = 'node'; "
            "update graphile_worker._private_job_queues set locked_at = null, locked_by = null "
            "where locked_by = 'node'"
        )

        async def is_free() -> bool:
            return not (await utils.paused()).queues

        await until(is_free)
