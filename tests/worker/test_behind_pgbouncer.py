"""What a worker is for, with a PgBouncer in transaction mode between it and the database.

Once polling through it, and once with LISTEN and the heartbeat on a road of their own.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
from support.pgbouncer import PROGRAM, pgbouncer
from support.running import running, sql, until

from graphile_worker import (
    JobSpec,
    LocalQueueConfig,
    PermanentFailure,
    SyncWorkerContext,
    SyncWorkerUtils,
    Worker,
    WorkerContext,
    WorkerUtils,
    batch_task,
    task,
)

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer on this machine"),
]

JOBS = "graphile_worker._private_jobs"
NO_WAIT = {"backoff": lambda _attempt: timedelta(0)}


class Behind:
    """Starts workers behind the pooler, and looks past it."""

    def __init__(self, pooled: str, direct: str, mode: str) -> None:
        self.pooled = pooled
        self.direct = direct
        self._options: dict[str, Any] = {"prepared_statements": False, "poll_interval": 0.05}
        if mode == "polling":
            self._options["use_notification_delivery"] = False
        else:
            self._options["direct_database_url"] = direct
        self.heartbeats = {"heartbeat_interval": 0.1, "sweep_interval": 0.2, "sweep_threshold": 2}

    def worker(self, *tasks: Any, **options: Any) -> AbstractAsyncContextManager[Worker]:
        return running(self.pooled, tasks=tasks, **{**self._options, **options})

    async def until_left(self, count: int) -> None:
        async with sql(self.direct) as connection:

            async def so_many() -> bool:
                return await connection.fetchval(f"select count(*) from {JOBS}") == count

            await until(so_many)


@pytest.fixture(params=["polling", "listening"])
def behind(gw_database: str, request: pytest.FixtureRequest) -> Iterator[Behind]:
    with pgbouncer(gw_database, server_connections=4) as pooled:
        yield Behind(pooled, gw_database, request.param)


@pytest.mark.parametrize("ahead", [None, LocalQueueConfig(size=50)])
async def test_jobs_run_once_and_queues_are_serial(
    behind: Behind, ahead: LocalQueueConfig | None
) -> None:
    ran: Counter[int] = Counter()
    inside: Counter[str | None] = Counter()
    overlaps: list[str] = []

    @task
    async def step(payload: int, ctx: WorkerContext) -> None:
        inside[ctx.queue_name] += 1
        if ctx.queue_name is not None and inside[ctx.queue_name] > 1:
            overlaps.append(ctx.queue_name)
        await asyncio.sleep(0)
        inside[ctx.queue_name] -= 1
        ran[payload] += 1

    async with (
        behind.worker(step, concurrency=8, local_queue=ahead) as one,
        behind.worker(step, concurrency=8, local_queue=ahead),
    ):
        queue_names = [None, "q0", "q1"]
        await one.create_utils().add_jobs(
            step.job(n, JobSpec(queue_name=queue_names[n % 3])) for n in range(120)
        )
        await behind.until_left(0)
    assert ran == Counter(range(120))
    assert overlaps == []


async def test_failures_are_retried_and_given_up(behind: Behind) -> None:
    attempts: list[int] = []

    @task(payload=None, **NO_WAIT)
    async def second_time(ctx: WorkerContext) -> None:
        attempts.append(ctx.job.attempts)
        if ctx.job.attempts == 1:
            raise ValueError("no luck")

    @task(payload=None)
    async def hopeless() -> None:
        raise PermanentFailure("never")

    @batch_task(**NO_WAIT)
    async def items(values: list[int], ctx: WorkerContext) -> list[Exception | None]:
        return [ValueError("odd") if n % 2 and ctx.job.attempts == 1 else None for n in values]

    async with behind.worker(second_time, hopeless, items) as worker:
        utils = worker.create_utils()
        await utils.add_job(second_time)
        lost = await utils.add_job(hopeless)
        await utils.add_batch_job(items, [1, 2, 3])
        await behind.until_left(1)

        async def given_up() -> bool:
            job = await utils.get_job(lost.id)
            return job is not None and job.last_error == "never"

        await until(given_up)
    assert attempts == [1, 2]


async def test_effects_in_the_transaction_of_the_job_happen_once(behind: Behind) -> None:
    async with sql(behind.direct) as connection:
        await connection.execute("create table public.ledger (job bigint)")

        @task(payload=None, **NO_WAIT)
        async def on_the_loop(ctx: WorkerContext) -> None:
            async with ctx.transaction() as own:
                await own.execute("insert into public.ledger values ($1)", ctx.job.id)
                await ctx.add_raw_job("later", None, JobSpec(run_at=timedelta(days=1)))
                if ctx.job.attempts == 1:
                    raise ValueError

        @task(payload=None, **NO_WAIT)
        def in_a_thread(ctx: SyncWorkerContext) -> None:
            with ctx.transaction() as own:
                own.execute("insert into public.ledger values (%s)", [ctx.job.id])
                if ctx.job.attempts == 1:
                    raise ValueError

        async with behind.worker(on_the_loop, in_a_thread) as worker:
            utils = worker.create_utils()
            added = [await utils.add_job(kind) for kind in (on_the_loop, in_a_thread) * 5]

            async def all_done() -> bool:
                return await connection.fetchval(
                    "select count(*) = 5 and every(task_identifier = 'later') "
                    "from graphile_worker.jobs"
                )

            await until(all_done)  # one `later` for each of the first kind
        rows = await connection.fetch("select job from public.ledger order by job")
    assert [row["job"] for row in rows] == [job.id for job in added]


async def test_a_shutdown_hands_jobs_back_untouched(behind: Behind) -> None:
    started = threading.Event()

    @task(payload=None)
    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    options: dict[str, Any] = {
        "concurrency": 1,
        "local_queue": LocalQueueConfig(size=10),
        "shutdown_grace_period": 0,
    }
    async with behind.worker(endless, **options) as worker:
        await worker.create_utils().add_jobs(endless, [None] * 10)
        await asyncio.to_thread(started.wait, 15)
    async with sql(behind.direct) as connection:
        rows = await connection.fetch(f"select distinct attempts, locked_by from {JOBS}")
        assert [tuple(row) for row in rows] == [(0, None)]
        assert not await connection.fetchval(
            "select count(*) from graphile_worker._private_workers"
        )


async def test_jobs_of_dead_workers_are_recovered(behind: Behind) -> None:
    ran = asyncio.Event()

    @task(payload=None)
    async def lost() -> None:
        ran.set()

    async with sql(behind.direct) as connection:
        await connection.execute("select graphile_worker.add_job('lost', queue_name => 'q')")
        await connection.execute(
            "insert into graphile_worker._private_workers (id, last_heartbeat_at) "
            "values ('dead', now() - interval '1 hour')"
        )
        for table in ("jobs", "job_queues"):
            await connection.execute(
                f"update graphile_worker._private_{table} "
                "set locked_by = 'dead', locked_at = now() - interval '1 hour'"
            )
        async with behind.worker(lost, recovery_delay=0, **behind.heartbeats):
            await asyncio.wait_for(ran.wait(), 15)
            await behind.until_left(0)


async def test_its_connections_may_be_lost(behind: Behind) -> None:
    done: asyncio.Queue[int] = asyncio.Queue()

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        done.put_nowait(ctx.job.id)

    async with sql(behind.direct) as connection, behind.worker(work, **behind.heartbeats):
        for _ in range(3):
            row = await connection.fetchrow("select (graphile_worker.add_job('work')).id")
            assert await asyncio.wait_for(done.get(), 20) == row["id"]
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        await behind.until_left(0)


async def test_both_clients_manage_jobs(behind: Behind) -> None:
    @task
    async def take(_payload: int) -> None: ...

    def without_a_loop() -> None:
        with SyncWorkerUtils.connect(behind.pooled, prepared_statements=False) as sync_utils:
            sync_utils.add_jobs(take, [2, 3])
            assert sync_utils.stats().total == 3

    async with WorkerUtils.connect(behind.pooled, prepared_statements=False) as utils:
        job = await utils.add_job(take, 1)
        await asyncio.to_thread(without_a_loop)
        assert [job.payload for job in await utils.list_jobs()] == [1, 2, 3]
        assert len((await utils.complete_jobs([job])).changed) == 1
        assert (await utils.sweep_stale_workers()).recovered_count == 0
        assert len(await utils.cleanup()) == 3
        assert (await utils.stats()).total == 2
