"""Why a job is where it is."""

from __future__ import annotations

from support.admin import service
from support.running import sql

from graphile_worker import JobSpec, WorkerUtils

TABLE = "graphile_worker._private_jobs"

REASONS = {
    "locked_at = now() - interval '90 s', locked_by = 'w'": "running on w for 1 m 30 s",
    "locked_at = now() - interval '5 h', locked_by = 'w'": "held for 5 h by w, which is gone or",
    "attempts = 25, last_error = 'x', run_at = now(), updated_at = now() - interval '1 h'": (
        "used all 25 attempts, the last one "
    ),
    "attempts = 3, run_at = now() + interval '61 s'": "runs in 1 m (attempt 4 of 25, after a delay",
    "run_at = now() + interval '25 h'": "runs in 1 d 59 m, not before 2",
    "run_at = 'infinity'": "runs never",
    "run_at = '-infinity'": "ready, waiting for a free worker",
    "run_at = now() - interval '3 s', created_at = now()": "ready for 3 s, waiting for a free worker",
}


async def test_reasons(gw_database: str) -> None:
    async with (
        WorkerUtils.connect(gw_database) as utils,
        sql(gw_database) as connection,
        service(gw_database) as made,
    ):
        await made.reading.figures.get()
        for change, reason in REASONS.items():
            job = await utils.add_raw_job("t")
            await connection.execute(f"update {TABLE} set {change} where id = {job.id}")
            details = await made.reading.jobs.one(job.id)
            assert details is not None
            assert details.why.startswith(reason), details.why


async def test_a_job_that_waits_for_its_queue_says_for_whom(gw_database: str) -> None:
    async with (
        WorkerUtils.connect(gw_database) as utils,
        sql(gw_database) as connection,
        service(gw_database) as made,
    ):
        first = await utils.add_raw_job("t", None, JobSpec(queue_name="billing"))
        second = await utils.add_raw_job("t", None, JobSpec(queue_name="billing"))
        await connection.execute(
            "update graphile_worker._private_job_queues"
            " set locked_by = 'w', locked_at = now() - interval '3 m'"
        )
        details = await made.reading.jobs.one(second.id)
        assert details is not None
        assert (
            details.why == "waiting for queue billing, held for 3 m by w, of whom no job runs in it"
        )
        await connection.execute(
            f"update {TABLE} set locked_by = 'w', locked_at = now() where id = {first.id}"
        )
        details = await made.reading.jobs.one(second.id)
        assert details is not None
        assert details.why == f"waiting for queue billing, held for 3 m by job {first.id} on w"
        await utils.force_unlock_workers(["w"])
        await utils.pause_queue("billing", by="alice")
        details = await made.reading.jobs.one(second.id)
        assert details is not None
        assert details.why == "waiting for queue billing, which alice paused"
