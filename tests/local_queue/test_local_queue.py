"""Jobs claimed ahead: each runs once, or goes back as if it had never been claimed."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import uvloop
from support.running import running, sql, until

from graphile_worker import (
    ConfigurationError,
    JobSpec,
    LocalQueueConfig,
    RefetchDelayConfig,
    WorkerContext,
    WorkerOptions,
    task,
)

NEVER_POLLS = timedelta(hours=1)
JOBS = "graphile_worker._private_jobs"


@task("add", payload=None)
async def add_only() -> None: ...


async def claimed(connection: asyncpg.Connection) -> int:
    return await connection.fetchval(f"select count(*) from {JOBS} where locked_at is not null")


async def wait_for_claimed(connection: asyncpg.Connection, count: int) -> None:
    async def reached() -> bool:
        return await claimed(connection) == count

    await until(reached)


@pytest.mark.parametrize("config", [LocalQueueConfig(size=1), LocalQueueConfig(size=50)])
async def test_all_jobs_run_once(gw_database: str, config: LocalQueueConfig) -> None:
    ran: Counter[int] = Counter()
    done = asyncio.Event()

    @task(payload=None)
    async def count(ctx: WorkerContext) -> None:
        ran[ctx.job.id] += 1
        if len(ran) == 600:
            done.set()

    async with running(
        gw_database, tasks=[count], poll_interval=NEVER_POLLS, local_queue=config
    ) as worker:
        added = await worker.create_utils().add_jobs(count, [None] * 600)
        await asyncio.wait_for(done.wait(), 20)
    assert ran == Counter({job.id: 1 for job in added})
    async with sql(gw_database) as connection:
        assert await connection.fetchval(f"select count(*) from {JOBS}") == 0


async def test_at_shutdown_what_waits_goes_back_untouched(gw_database: str) -> None:
    started: asyncio.Queue[int] = asyncio.Queue()
    release = asyncio.Event()

    @task(payload=None)
    async def slow(ctx: WorkerContext) -> None:
        started.put_nowait(ctx.job.id)
        await release.wait()

    options = WorkerOptions(
        database_url=gw_database,
        tasks=[slow],
        concurrency=24,
        local_queue=LocalQueueConfig(size=500),
        shutdown_grace_period=30,
        listen_os_shutdown_signals=False,
    )
    async with options.init() as worker, sql(gw_database) as connection:
        await worker.create_utils().add_jobs(slow, [None] * 600)
        before = {row["id"]: row for row in await connection.fetch(f"select * from {JOBS}")}
        run = asyncio.create_task(worker.run())
        running_ids = {await asyncio.wait_for(started.get(), 15) for _ in range(24)}

        async def buffered() -> bool:
            return worker.health().waiting >= 480

        await until(buffered)
        assert worker.health().running == 24
        worker.request_shutdown()
        await wait_for_claimed(connection, 24)
        for row in await connection.fetch(f"select * from {JOBS}"):
            if row["id"] not in running_ids:
                assert row == before[row["id"]]
        assert len(await connection.fetch("select id from graphile_worker._private_workers")) == 1
        release.set()
        await asyncio.wait_for(run, 20)
        assert started.empty()
        assert await connection.fetchval(f"select count(*) from {JOBS}") == 600 - 24


async def test_after_its_time_what_waits_goes_back_and_a_free_slot_fetches_again(
    gw_database: str,
) -> None:
    started: asyncio.Queue[int] = asyncio.Queue()
    release = asyncio.Event()

    @task(payload=None)
    async def slow(ctx: WorkerContext) -> None:
        started.put_nowait(ctx.job.id)
        await release.wait()

    async with (
        sql(gw_database) as connection,
        running(
            gw_database,
            tasks=[slow],
            concurrency=1,
            poll_interval=NEVER_POLLS,
            local_queue=LocalQueueConfig(size=20, ttl=0.3),
        ) as worker,
    ):
        utils = worker.create_utils()
        added = await utils.add_jobs(slow, [None] * 10)
        assert await asyncio.wait_for(started.get(), 15) == added[0].id

        async def returned() -> bool:
            return worker.health().waiting == 0 and await claimed(connection) == 1

        await until(returned)
        spent = await connection.fetchval(f"select sum(attempts) from {JOBS}")
        assert spent == 1
        late = await utils.add_job(slow)  # wakes it, but there is no slot
        assert await claimed(connection) == 1
        release.set()
        rest = [await asyncio.wait_for(started.get(), 15) for _ in range(10)]
        assert rest == [job.id for job in (*added[1:], late)]
        new = await utils.add_job(slow)
        assert await asyncio.wait_for(started.get(), 15) == new.id


async def test_forbidden_flags_are_left_alone(gw_database: str) -> None:
    done: asyncio.Queue[int] = asyncio.Queue()

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        done.put_nowait(ctx.job.id)

    async with running(
        gw_database, tasks=[work], forbidden_flags=["no"], local_queue=LocalQueueConfig(size=10)
    ) as worker:
        utils = worker.create_utils()
        left = await utils.add_job(work, None, JobSpec(flags=["no"], priority=-1))
        ran = await utils.add_job(work)
        assert await asyncio.wait_for(done.get(), 15) == ran.id
        row = await utils.get_job(left.id)
    assert row is not None
    assert (row.attempts, row.locked_by) == (0, None)


async def test_a_swept_worker_returns_what_waits(gw_database: str) -> None:
    runs: asyncio.Queue[str] = asyncio.Queue()
    release = asyncio.Event()

    @task(payload=None)
    async def slow(ctx: WorkerContext) -> None:
        runs.put_nowait(ctx.worker_id)
        await release.wait()

    async with (
        sql(gw_database) as connection,
        running(
            gw_database,
            tasks=[slow],
            concurrency=1,
            heartbeat_interval=0.02,
            poll_interval=0.02,
            local_queue=LocalQueueConfig(size=20),
        ) as worker,
    ):
        await worker.create_utils().add_jobs(slow, [None] * 10)
        old = await asyncio.wait_for(runs.get(), 15)
        await wait_for_claimed(connection, 10)
        await connection.execute("delete from graphile_worker._private_workers")
        new = await asyncio.wait_for(runs.get(), 15)
        assert new != old

        async def all_new() -> bool:
            owners = await connection.fetch(f"select distinct locked_by, attempts from {JOBS}")
            return [tuple(owner) for owner in owners] == [(new, 1)]

        await until(all_new)
        release.set()


async def test_queues_stay_serial_with_several_workers(gw_database: str) -> None:
    inside: Counter[str] = Counter()
    overlaps: list[str] = []
    finished: Counter[int] = Counter()
    done = asyncio.Event()

    @task(backoff=lambda _attempt: timedelta(0))
    async def step(payload: int, ctx: WorkerContext) -> None:
        queue = ctx.queue_name or ""
        inside[queue] += 1
        if inside[queue] > 1:
            overlaps.append(queue)
        await asyncio.sleep(0)
        inside[queue] -= 1
        if payload % 7 == 0 and ctx.job.attempts == 1:
            raise ValueError(payload)
        finished[payload] += 1
        if len(finished) == 120:
            done.set()

    options = {"tasks": [step], "poll_interval": 0.05, "local_queue": LocalQueueConfig(size=30)}
    async with running(gw_database, **options) as one, running(gw_database, **options):
        jobs = [step.job(n, JobSpec(queue_name=f"q{n % 5}")) for n in range(120)]
        await one.create_utils().add_jobs(jobs)
        await asyncio.wait_for(done.wait(), 40)
    assert overlaps == []
    assert set(finished.values()) == {1}


async def test_a_refetch_delay_does_not_lose_what_is_announced(gw_database: str) -> None:
    done: asyncio.Queue[int] = asyncio.Queue()

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        done.put_nowait(ctx.job.id)

    delay = RefetchDelayConfig(duration=0.2, threshold=5)
    async with running(
        gw_database,
        tasks=[work],
        poll_interval=NEVER_POLLS,
        local_queue=LocalQueueConfig(size=10, refetch_delay=delay),
    ) as worker:
        for _ in range(3):
            job = await worker.create_utils().add_job(work)
            assert await asyncio.wait_for(done.get(), 15) == job.id


async def test_completions_wait_for_others_until_the_shutdown(gw_database: str) -> None:
    ran: asyncio.Queue[None] = asyncio.Queue()

    @task(payload=None)
    async def work() -> None:
        ran.put_nowait(None)

    async with sql(gw_database) as connection:
        async with running(
            gw_database, tasks=[work], complete_job_batch_delay=timedelta(hours=1)
        ) as worker:
            utils = worker.create_utils()
            await utils.add_jobs(work, [None] * 20)
            for _ in range(20):
                await asyncio.wait_for(ran.get(), 15)
            assert await claimed(connection) == 20
            queued = await utils.add_job(work, None, JobSpec(queue_name="q"))
            await asyncio.wait_for(ran.get(), 15)

            async def stored() -> bool:
                return await utils.get_job(queued.id) is None and await claimed(connection) == 0

            await until(stored)  # a named queue waits for nobody, and takes the others along
            await utils.add_job(work)
            await asyncio.wait_for(ran.get(), 15)
        assert await connection.fetchval(f"select count(*) from {JOBS}") == 0


def test_a_delay_below_a_millisecond_waits_on_uvloop_too(gw_database: str) -> None:
    raised: list[dict[str, Any]] = []

    @task(payload=None)
    async def work() -> None: ...

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, raising: raised.append(raising))
        async with running(gw_database, tasks=[work], complete_job_batch_delay=0.0001) as worker:
            utils = worker.create_utils()
            await utils.add_jobs(work, [None] * 50)

            async def stored() -> bool:
                return await utils.list_jobs() == []

            await until(stored)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    assert raised == []


async def test_failures_have_a_delay_of_their_own(gw_database: str) -> None:
    @task(payload=None)
    async def fail() -> None:
        raise ValueError

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[fail], fail_job_batch_delay=0.2) as worker,
    ):
        await worker.create_utils().add_jobs(fail, [None] * 4)

        async def stored() -> bool:
            rows = await connection.fetch(f"select xmin from {JOBS} where last_error <> ''")
            return len(rows) == 4 and len({row["xmin"] for row in rows}) == 1

        await until(stored)


@pytest.mark.parametrize(
    ("config", "options", "says"),
    [
        (LocalQueueConfig, {"size": 0}, "local_queue.size must be at least 1, got 0"),
        (LocalQueueConfig, {"size": 2**31}, "must be at most 2147483647"),
        (LocalQueueConfig, {"queue_count": 0}, "queue_count must be at least 1"),
        (LocalQueueConfig, {"ttl": 0}, "ttl must be more than 0"),
        (LocalQueueConfig, {"refetch_delay": 3}, "must be a RefetchDelayConfig, got 3"),
        (RefetchDelayConfig, {"threshold": -1}, "threshold must be at least 0"),
        (RefetchDelayConfig, {"max_abort_threshold": 0}, "max_abort_threshold must be at least 1"),
    ],
)
def test_a_senseless_option_is_named(config: type, options: dict[str, int], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        config(**options)


def test_a_delay_is_no_longer_than_the_poll() -> None:
    config = LocalQueueConfig().with_refetch_delay(RefetchDelayConfig().with_duration(2))
    with pytest.raises(ConfigurationError, match=r"\(2 s\) must not be longer than poll_interval"):
        WorkerOptions(local_queue=config)
    assert WorkerOptions(local_queue=config, poll_interval=2).local_queue == config


async def test_a_queue_smaller_than_the_concurrency_is_warned_of(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(gw_database, tasks=[add_only], local_queue=LocalQueueConfig(size=1)):
        pass
    assert "less than the concurrency" in caplog.text
