"""Cleaning up: what goes, what stays, and that no job is lost meanwhile."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from support.blocked_sessions import until_somebody_waits
from support.running import running, sql

from graphile_worker import (
    CleanupTask,
    ConfigurationError,
    DatabaseError,
    JobSpec,
    WorkerContext,
    WorkerUtils,
    task,
)

TASKS, QUEUES, FAILED = (
    CleanupTask.GC_TASK_IDENTIFIERS,
    CleanupTask.GC_JOB_QUEUES,
    CleanupTask.DELETE_PERMANENTLY_FAILED_JOBS,
)


async def identifiers(url: str) -> set[str]:
    async with sql(url) as connection:
        rows = await connection.fetch("select identifier from graphile_worker._private_tasks")
        return {row[0] for row in rows}


async def test_all_three_each_leaving_more_for_the_next(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.add_raw_job("used", None, JobSpec(queue_name="used"))
        await utils.add_raw_job("used")  # a job without a queue must not keep queues
        failed = await utils.add_raw_job("failed", None, JobSpec(queue_name="failed"))
        done = await utils.add_raw_job("done", None, JobSpec(queue_name="done"))
        await utils.permanently_fail_jobs([failed])
        await utils.complete_jobs([done])
        assert await utils.cleanup([QUEUES], dry_run=True) == {QUEUES: 1}
        assert await utils.cleanup([QUEUES]) == {QUEUES: 1}
        assert await utils.cleanup([QUEUES, TASKS], dry_run=True) == {TASKS: 1, QUEUES: 0}
        assert await utils.cleanup(dry_run=True) == {FAILED: 1, TASKS: 2, QUEUES: 1}
        answer = await utils.cleanup()
        assert answer == {FAILED: 1, TASKS: 2, QUEUES: 1}
        assert list(answer) == [FAILED, TASKS, QUEUES]
        assert await identifiers(gw_database) == {"used"}
        assert [queue.queue_name for queue in await utils.queues()] == ["used"]
        assert await utils.cleanup() == {FAILED: 0, TASKS: 0, QUEUES: 0}


async def test_failed_jobs_beyond_their_attempts_go_and_running_ones_stay(
    gw_database: str,
) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        beyond, held, waiting = [await utils.add_raw_job("t") for _ in range(3)]
        await utils.reschedule_jobs([beyond], attempts=30)
        await connection.execute(
            "update graphile_worker._private_jobs set attempts = 25, locked_by = 'w', "
            "locked_at = now() where id = $1",
            held.id,
        )
        assert await utils.cleanup([FAILED]) == {FAILED: 1}
        assert [job.id for job in await utils.list_jobs()] == [held.id, waiting.id]


async def test_a_locked_queue_stays(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        job = await utils.add_raw_job("t", None, JobSpec(queue_name="q"))
        await utils.complete_jobs([job])
        await connection.execute(
            "update graphile_worker._private_job_queues "
            "set locked_at = '9999-12-31', locked_by = 'paused:ada'"
        )
        assert await utils.cleanup([QUEUES]) == {QUEUES: 0}


async def test_identifiers_that_workers_know_stay(gw_database: str) -> None:
    metadata = json.dumps({"tasks": ["of another worker"]})
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        for name in ("of another worker", "of nobody"):
            await utils.complete_jobs([await utils.add_raw_job(name)])
        await connection.execute("select graphile_worker.worker_heartbeat('w', $1::json)", metadata)
        assert await utils.cleanup([TASKS], dry_run=True) == {TASKS: 1}
        await utils.cleanup()
        assert await identifiers(gw_database) == {"of another worker"}


async def test_a_task_may_clean_up_and_its_worker_goes_on(gw_database: str) -> None:
    ran: list[str] = []
    both = asyncio.Event()

    @task(payload=None)
    async def tidy(ctx: WorkerContext) -> None:
        await ctx.utils.cleanup()

    @task
    async def later(payload: str) -> None:
        ran.append(payload)
        both.set()

    async with running(gw_database, tasks=[tidy, later]) as worker:
        utils = worker.create_utils()
        for number in range(3):
            both.clear()
            await utils.add_job(tidy)
            await utils.add_job(later, f"{number}", JobSpec(run_at=timedelta(milliseconds=1)))
            async with asyncio.timeout(15):
                await both.wait()
        await utils.cleanup()
        assert {"tidy", "later"} <= await identifiers(gw_database)
    assert ran == ["0", "1", "2"]


@pytest.mark.parametrize("cleanup", [TASKS, QUEUES])
async def test_a_job_being_added_keeps_its_task_and_its_queue(
    gw_database: str, cleanup: CleanupTask
) -> None:
    """Between two statements of `add_jobs` nothing refers to the task or the queue yet."""
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        await utils.complete_jobs([await utils.add_raw_job("t", None, JobSpec(queue_name="q"))])
        transaction = connection.transaction()
        await transaction.start()
        # What add_jobs does first; its insert of the job comes after.
        await connection.execute(
            "select from graphile_worker._private_tasks where identifier = 't'"
        )
        await connection.execute(
            "select from graphile_worker._private_job_queues where queue_name = 'q'"
        )
        cleaning = asyncio.create_task(utils.cleanup([cleanup]))
        await until_somebody_waits(connection)
        await connection.execute("select graphile_worker.add_job('t', queue_name => 'q')")
        await transaction.commit()
        assert await cleaning == {cleanup: 0}
        [job] = await utils.list_jobs()
        assert (job.task_identifier, job.queue_name) == ("t", "q")


async def test_a_long_transaction_of_a_producer_ends_the_cleanup_not_the_producers(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphile_worker.client.operations.cleaning._LOCK_WAIT_MILLISECONDS", 50)
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        await utils.add_raw_job("t")
        async with connection.transaction():
            await connection.execute("select graphile_worker.add_job('t')")
            with pytest.raises(DatabaseError, match="cleanup gave up: a transaction") as caught:
                await utils.cleanup([TASKS])
            assert caught.value.sqlstate == "55P03"
            await utils.add_raw_job("t")  # the producers go on at once
        assert await utils.cleanup([TASKS]) == {TASKS: 0}


async def test_without_a_registry_of_workers(gw_database: str) -> None:
    """A schema of the Node worker."""
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        await connection.execute("drop table graphile_worker._private_workers cascade")
        await utils.complete_jobs([await utils.add_raw_job("t")])
        assert await utils.cleanup([TASKS]) == {TASKS: 1}
        assert await utils.list_active_workers() == []
        assert await utils.list_jobs("stuck") == []


async def test_nothing_to_do_and_nonsense(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        assert await utils.cleanup([]) == {}
        with pytest.raises(ConfigurationError, match=r"CleanupTask\.GC_JOB_QUEUES, got 'gc'"):
            await utils.cleanup(["gc"])  # type: ignore[list-item]
