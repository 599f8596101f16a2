"""Jobs that wait for a slot: how many, how long, and where they go."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
from support.recorder import Recorder
from support.relay import Relay
from support.running import running, sql, until
from support.worker_process import worker_process

from graphile_worker import (
    LocalQueueConfig,
    LocalQueueInit,
    WorkerContext,
    WorkerOptions,
    task,
)
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.local_queue.queue import LocalQueue

NEVER_POLLS = timedelta(hours=1)
JOBS = "graphile_worker._private_jobs"
QUICK: dict[str, Any] = {
    "poll_interval": 0.05,
    "heartbeat_interval": 0.1,
    "sweep_interval": 0.2,
    "sweep_threshold": 2,
    "recovery_delay": 0,
}


async def until_claimed(connection: asyncpg.Connection, count: int) -> None:
    async def claimed() -> bool:
        held = f"select count(*) from {JOBS} where locked_at is not null"
        return await connection.fetchval(held) == count

    await until(claimed)


async def test_parts_of_the_queue_multiply_its_size_and_share_one_order(gw_database: str) -> None:
    """More parts than slots are of no use, and are not made."""
    recorder = Recorder([LocalQueueInit])
    started: list[int] = []
    hold = asyncio.Event()

    @task(payload=None)
    async def slow(ctx: WorkerContext) -> None:
        started.append(ctx.job.id)
        await hold.wait()

    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('slow') from generate_series(1, 40)"
        )
        async with running(
            gw_database,
            tasks=[slow],
            plugins=[recorder],
            concurrency=2,
            local_queue=LocalQueueConfig(size=10, queue_count=3),
        ) as worker:

            async def full() -> bool:
                return worker.health().waiting >= 20

            await until(full)
            await until_claimed(connection, 2 + 20)
            hold.set()

            async def empty() -> bool:
                return not await connection.fetchval(f"select count(*) from {JOBS}")

            await until(empty)
    assert recorder.events == [LocalQueueInit(worker_id=worker.worker_id)] * 2
    assert started == sorted(started)


def claimed(job_id: int) -> ClaimedJob:
    nothing: Any = None
    values = dict.fromkeys(ClaimedJob._fields, nothing)
    return ClaimedJob(**{**values, "id": job_id})


class Slots:
    """As many as a test says; remembers what came and went."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.started: list[int] = []
        self.returned: list[int] = []
        self.gone = asyncio.Event()

    def start(self, job: ClaimedJob) -> None:
        self.free -= 1
        self.started.append(job.id)

    def give_back(self, job: ClaimedJob) -> None:
        self.returned.append(job.id)
        self.gone.set()

    def queue(self, config: LocalQueueConfig) -> LocalQueue:
        return LocalQueue(
            config,
            concurrency=1,
            slots=self,
            give_back=self.give_back,
            on_room=lambda: None,
        )


async def test_each_claim_has_a_time_of_its_own() -> None:
    """When all jobs of the first claim have found a slot, the time of the second one counts."""
    loop = asyncio.get_running_loop()
    slots = Slots(free=0)
    queue = slots.queue(LocalQueueConfig(size=10, ttl=0.2))
    queue.put([claimed(1), claimed(2)], asked=10)
    await asyncio.sleep(0.1)  # this much younger are the next
    queue.put([claimed(3)], asked=8)
    second = loop.time()
    slots.free = 2
    queue.slot_freed()
    queue.slot_freed()
    assert slots.started == [1, 2]
    await asyncio.wait_for(slots.gone.wait(), 10)
    assert loop.time() - second >= 0.199
    assert slots.returned == [3]


async def test_the_oldest_claim_takes_the_younger_ones_along() -> None:
    """What waits is in order, so the younger claims wait behind the older one."""
    loop = asyncio.get_running_loop()
    slots = Slots(free=0)
    queue = slots.queue(LocalQueueConfig(size=10, ttl=0.2))
    first = loop.time()
    queue.put([claimed(1), claimed(2)], asked=10)
    await asyncio.sleep(0.1)
    queue.put([claimed(3)], asked=8)
    slots.free = 1
    queue.slot_freed()
    await asyncio.wait_for(slots.gone.wait(), 10)
    assert loop.time() - first >= 0.199
    assert (slots.started, slots.returned, len(queue)) == ([1], [2, 3], 0)


async def test_the_answer_of_a_claim_that_comes_after_the_release_goes_back(
    gw_database: str,
) -> None:
    query = parse_qs(urlsplit(gw_database).query)
    socket = Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")

    @task(payload=None)
    async def never() -> None:
        raise AssertionError

    async with sql(gw_database) as connection, Relay(socket) as relay:
        options = WorkerOptions(
            database_url=f"postgresql://postgres@127.0.0.1:{relay.port}/{urlsplit(gw_database).path[1:]}",
            direct_database_url=gw_database,
            tasks=[never],
            poll_interval=0.02,
            local_queue=LocalQueueConfig(size=20),
            listen_os_shutdown_signals=False,
        )
        async with options.init() as worker:
            run = asyncio.create_task(worker.run())

            async def claims() -> bool:
                return worker.health().is_ready

            await until(claims)
            relay.withhold_answers(from_one_with=b"held back")
            rows = await connection.fetch(
                "select (graphile_worker.add_job('never', '\"held back\"')).id "
                "from generate_series(1, 10)"
            )
            await until_claimed(connection, 10)
            worker.request_shutdown()
            relay.deliver_answers()
            await asyncio.wait_for(run, 20)
        left = await connection.fetch(f"select * from {JOBS} order by id")
    assert [row["id"] for row in left] == [row["id"] for row in rows]
    assert {(row["attempts"], row["locked_by"], row["last_error"]) for row in left} == {
        (0, None, None)
    }


async def test_a_full_batch_of_outcomes_waits_for_no_others(gw_database: str) -> None:
    ran: Counter[int] = Counter()
    all_ran = asyncio.Event()

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        ran[ctx.job.id] += 1
        if len(ran) == 1500:
            all_ran.set()

    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('work') from generate_series(1, 1500)"
        )
        async with running(
            gw_database,
            tasks=[work],
            complete_job_batch_delay=timedelta(hours=1),
            local_queue=LocalQueueConfig(size=2000),
        ):

            async def one_batch_stored() -> bool:
                return await connection.fetchval(f"select count(*) from {JOBS}") <= 500

            await until(one_batch_stored)
            await all_ran.wait()  # what only waits for a slot would go back
        assert not await connection.fetchval(f"select count(*) from {JOBS}")
    assert len(ran) == 1500
    assert set(ran.values()) == {1}


async def test_what_waits_in_a_worker_that_fell_silent_runs_elsewhere_once(
    gw_database: str,
) -> None:
    """It wakes up with a queue full of jobs that are not its own any more."""
    ran: Counter[int] = Counter()

    @task("slow", payload=None)
    async def elsewhere(ctx: WorkerContext) -> None:
        ran[ctx.job.id] += 1

    async with sql(gw_database) as connection:
        rows = await connection.fetch(
            "select (graphile_worker.add_job('slow')).id from generate_series(1, 21)"
        )
        async with worker_process(gw_database, concurrency=1, ahead=20) as zombie:
            await zombie.says("started")
            await until_claimed(connection, 21)
            zombie.stop()
            async with running(gw_database, tasks=[elsewhere], **QUICK):

                async def empty() -> bool:
                    return not await connection.fetchval(f"select count(*) from {JOBS}")

                await until(empty, seconds=30)
                zombie.go_on()
                assert (await zombie.line())[:2] == ["cut", "off"], "it starts none of the others"
    assert ran == Counter(row["id"] for row in rows)
