"""Workers in processes that are killed, and that sleep too long."""

from __future__ import annotations

import asyncio
import signal

import asyncpg
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


SLOTS = 24
AHEAD = 1000
"""How many jobs may wait for a slot."""
WAITING = 500
"""How many do, at the least: none are claimed while half of them wait."""
GRACE = 2.0
"""Seconds."""


async def add(connection: asyncpg.Connection, task_identifier: str, count: int) -> list[int]:
    rows = await connection.fetch(
        "select (graphile_worker.add_job($1)).id from generate_series(1, $2)",
        task_identifier,
        count,
    )
    return [row["id"] for row in rows]


async def until_claimed_ahead(connection: asyncpg.Connection) -> None:
    async def claimed() -> bool:
        locked = f"select count(*) from {JOBS} where locked_at is not null"
        return await connection.fetchval(locked) >= SLOTS + WAITING

    await until(claimed)


async def test_what_a_terminated_worker_has_claimed_ahead_is_claimable_at_once(
    gw_database: str,
) -> None:
    """Of those that run, half finish; the others go back when the grace period is over."""
    async with sql(gw_database) as connection:
        patient = await add(connection, "patient", SLOTS // 2)
        endless = await add(connection, "slow", SLOTS // 2)
        waiting = await add(connection, "slow", AHEAD)
        all_rows = f"select * from {JOBS} where id = any($1) order by id"
        before = await connection.fetch(all_rows, waiting)
        async with worker_process(
            gw_database, concurrency=SLOTS, grace=GRACE, ahead=AHEAD
        ) as ending:
            for _ in range(SLOTS):
                await ending.says("started")
            await until_claimed_ahead(connection)
            loop = asyncio.get_running_loop()
            ending.process.send_signal(signal.SIGTERM)
            asked_at = loop.time()

            async def untouched() -> bool:
                return await connection.fetch(all_rows, waiting) == before

            await until(untouched)
            locked = await connection.fetch(f"select id from {JOBS} where locked_at is not null")
            assert {row["id"] for row in locked} >= set(endless), "long before those that run end"
            for _ in patient:
                await ending.says("done")
            await ending.says("ended")
            assert await ending.process.wait() == 0
            # Cancelling and storing what was cancelled come on top.
            assert loop.time() - asked_at < GRACE + 2
        left = await connection.fetch(f"select * from {JOBS} order by id")
        assert [row["id"] for row in left] == [*endless, *waiting]
        assert {(row["attempts"], row["locked_by"]) for row in left} == {(0, None)}
        assert not await connection.fetchval(
            "select count(*) from graphile_worker._private_workers"
        )


async def test_jobs_of_a_killed_worker_run_elsewhere_with_their_attempt(gw_database: str) -> None:
    """Those that ran, and the hundreds that it had claimed ahead."""
    ran: dict[int, int] = {}

    @task("slow", payload=None)
    async def elsewhere(ctx: WorkerContext) -> None:
        assert ctx.job.id not in ran
        ran[ctx.job.id] = ctx.job.attempts

    async with sql(gw_database) as connection:
        jobs = await add(connection, "slow", SLOTS + AHEAD)
        async with worker_process(gw_database, concurrency=SLOTS, ahead=AHEAD) as dying:
            for _ in range(SLOTS):
                await dying.says("started")
            await until_claimed_ahead(connection)
            dying.process.kill()
            await dying.process.wait()
            async with running(gw_database, tasks=[elsewhere], concurrency=10, **QUICK):

                async def empty() -> bool:
                    return not await connection.fetchval(f"select count(*) from {JOBS}")

                await until(empty, seconds=30)
    assert ran == dict.fromkeys(jobs, 1)


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

            # It may have been stopped in the middle of a sweep, which nobody else can do then.
            await until(swept, seconds=30)
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
