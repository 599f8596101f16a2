"""Workers in processes that are killed, and that sleep too long."""

from __future__ import annotations

import asyncio
import signal

from support.running import running, sql, until
from support.worker_process import worker_process

from graphile_worker import WorkerContext, WorkerUtils, task
from graphile_worker.drivers.connect import connect

JOBS = "graphile_worker._private_jobs"
QUICK = {
    "poll_interval": 0.05,
    "heartbeat_interval": 0.1,
    "sweep_interval": 0.2,
    "sweep_threshold": 2,
    "recovery_delay": 0,
}


async def test_jobs_of_a_killed_worker_run_elsewhere_with_their_attempt(gw_database: str) -> None:
    ran: dict[int, int] = {}

    @task("slow", payload=None)
    async def elsewhere(ctx: WorkerContext) -> None:
        ran[ctx.job.id] = ctx.job.attempts

    async with WorkerUtils.connect(gw_database) as utils:
        jobs = await utils.add_raw_jobs([raw("slow") for _ in range(50)])
        async with worker_process(gw_database, concurrency=50) as dying:
            for _ in jobs:
                await dying.says("started")
            dying.process.kill()
            await dying.process.wait()
            async with running(gw_database, tasks=[elsewhere], concurrency=10, **QUICK):

                async def empty() -> bool:
                    return not (await utils.stats()).total

                await until(empty, seconds=30)
    assert ran == {job.id: 1 for job in jobs}


def raw(identifier: str):
    from graphile_worker import JobSpec, RawJobSpec

    return RawJobSpec(identifier, None, JobSpec())


async def test_a_worker_that_slept_too_long_leaves_its_job_to_the_other(gw_database: str) -> None:
    taken, release = asyncio.Event(), asyncio.Event()

    @task("slow", payload=None)
    async def elsewhere() -> None:
        taken.set()
        await release.wait()

    async with worker_process(gw_database) as zombie, sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('slow', queue_name => 'q')")
        old = (await zombie.says("started"))[-1]
        async with running(gw_database, tasks=[elsewhere], **QUICK) as other:
            zombie.stop()
            await asyncio.wait_for(taken.wait(), 30)
            zombie.go_on()
            await zombie.says("cut", "off")

            async def renewed() -> bool:
                return await connection.fetchval(
                    "select count(*) = 2 and bool_and(id <> $1) from graphile_worker._private_workers",
                    old,
                )

            await until(renewed)
            row = await connection.fetchrow(f"select * from {JOBS}")
            assert (row["locked_by"], row["attempts"]) == (other.worker_id, 1)
            queue = await connection.fetchrow("select * from graphile_worker._private_job_queues")
            assert queue["locked_by"] == other.worker_id
            release.set()

            async def empty() -> bool:
                return not await connection.fetchval(f"select count(*) from {JOBS}")

            await until(empty)


async def test_the_only_worker_wakes_up_and_finds_its_own_job_again(gw_database: str) -> None:
    """The first run may still go on when the same worker claims the job a second time."""
    async with (
        worker_process(gw_database) as zombie,
        sql(gw_database) as connection,
    ):
        await connection.execute("select graphile_worker.add_job('slow')")
        _, job_id, _, old = await zombie.says("started")
        zombie.stop()
        database = await connect(gw_database, max_connections=1)
        try:

            async def swept() -> bool:
                utils = WorkerUtils(database)
                result = await utils.sweep_stale_workers(sweep_threshold=1, recovery_delay=0)
                return result.worker_ids == [old]

            await until(swept)
        finally:
            await database.aclose()
        zombie.go_on()
        # In some order: the first run is cut off, and the job runs under the new id.
        said: list[list[str]] = []
        while not (
            ["cut", "off", job_id] in said and said[-1][0] == "started" and said[-1][-1] != old
        ):
            said.append(await zombie.line())
            assert said[-1]
        row = await connection.fetchrow(f"select * from {JOBS}")
        assert (row["locked_by"], row["attempts"]) == (said[-1][-1], 1)
        zombie.process.send_signal(signal.SIGTERM)
        await zombie.says("ended")
