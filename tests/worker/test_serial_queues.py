"""Named queues: one job at a time, in order, and without a pause between two."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from support.relay import Relay
from support.running import running, sql, until

from graphile_worker import JobSpec, LocalQueueConfig, WorkerContext, task

NO_POLL = timedelta(hours=1)


class Sheet:
    """What ran, in which order, and whether two jobs of one queue ever ran at once."""

    def __init__(self) -> None:
        self.order: list[Any] = []
        self.overlaps = 0
        self._busy: set[str | None] = set()

    async def run(self, ctx: WorkerContext, number: Any) -> None:
        queue = ctx.job.queue_name
        self.overlaps += queue is not None and queue in self._busy
        self._busy.add(queue)
        await asyncio.sleep(0)
        self._busy.discard(queue)
        self.order.append(number)


async def add_to_queue(connection: asyncpg.Connection, count: int, queue: str = "q") -> None:
    await connection.execute(
        "select graphile_worker.add_job('work', to_json(n), $2) from generate_series(1, $1) as n "
        "order by n",
        count,
        queue,
    )


@pytest.mark.parametrize("local_queue", [None, LocalQueueConfig(size=20)])
async def test_one_queue_runs_in_order_and_needs_no_poll(
    gw_database: str, local_queue: LocalQueueConfig | None
) -> None:
    sheet, done = Sheet(), asyncio.Event()

    @task()
    async def work(number: int, ctx: WorkerContext) -> None:
        await sheet.run(ctx, number)
        if number == 300:
            done.set()

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[work], poll_interval=NO_POLL, local_queue=local_queue),
    ):
        await add_to_queue(connection, 300)
        await asyncio.wait_for(done.wait(), 30)
    assert sheet.order == list(range(1, 301))
    assert sheet.overlaps == 0


async def test_many_queues_run_beside_each_other(gw_database: str) -> None:
    sheet = Sheet()

    @task()
    async def work(number: int, ctx: WorkerContext) -> None:
        await sheet.run(ctx, (ctx.job.queue_name, number))

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[work], poll_interval=NO_POLL),
    ):
        async with connection.transaction():
            for n in range(10):
                await add_to_queue(connection, 30, f"q{n}")
        await until(lambda: said(sheet, 300))
    assert sheet.overlaps == 0
    for n in range(10):
        assert [i for queue, i in sheet.order if queue == f"q{n}"] == list(range(1, 31))


async def said(sheet: Sheet, count: int) -> bool:
    return len(sheet.order) == count


async def test_a_slot_does_not_stay_with_one_queue_while_others_wait(gw_database: str) -> None:
    order: list[str] = []
    enough = asyncio.Event()

    @task(payload=None)
    async def endless(ctx: WorkerContext) -> None:
        order.append("endless")
        await ctx.add_job(endless, spec=JobSpec(queue_name="q"))
        if order.count("endless") > 20 and "other" not in order and len(order) == 21:
            await ctx.add_job(other, spec=JobSpec(priority=-1))
        if "other" in order:
            enough.set()

    @task(payload=None)
    async def other() -> None:
        order.append("other")

    async with running(
        gw_database, tasks=[endless, other], concurrency=1, poll_interval=NO_POLL
    ) as worker:
        await worker.create_utils().add_job(endless, spec=JobSpec(queue_name="q"))
        await asyncio.wait_for(enough.wait(), 30)


async def test_the_next_job_of_a_queue_reaches_the_worker_that_knows_its_task(
    gw_database: str,
) -> None:
    """One frees the queue for the other, and neither polls."""
    order: list[str] = []

    @task(payload=None)
    async def left() -> None:
        order.append("left")

    @task(payload=None)
    async def right() -> None:
        order.append("right")

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[left], poll_interval=NO_POLL),
        running(gw_database, tasks=[right], poll_interval=NO_POLL),
    ):
        await connection.execute(
            "select graphile_worker.add_job(case when n % 2 = 1 then 'left' else 'right' end, "
            "queue_name => 'q') from generate_series(1, 6) as n order by n"
        )

        async def all_ran() -> bool:
            return len(order) == 6

        await until(all_ran)
    assert sorted(order) == ["left"] * 3 + ["right"] * 3


async def test_a_worker_that_is_full_leaves_the_next_job_to_others(gw_database: str) -> None:
    release = asyncio.Event()
    ran_by: list[str] = []

    @task(payload=None)
    async def hold() -> None:
        await release.wait()

    @task(payload=None)
    async def step(ctx: WorkerContext) -> None:
        ran_by.append(ctx.worker_id)
        if len(ran_by) == 1:
            await ctx.add_job(hold, spec=JobSpec(priority=-1))
            raise ValueError("so that its slot is not kept for its queue")

    async with running(
        gw_database, tasks=[step, hold], concurrency=1, poll_interval=NO_POLL
    ) as first:
        utils = first.create_utils()
        async with running(
            gw_database, tasks=[step], concurrency=1, poll_interval=NO_POLL
        ) as second:
            await utils.add_job(hold, spec=JobSpec(priority=-2))
            await utils.add_job(step, spec=JobSpec(queue_name="q"))
            await utils.add_job(step, spec=JobSpec(queue_name="q"))

            async def both_ran() -> bool:
                return len(ran_by) == 2

            await until(both_ran)
            assert second.worker_id in ran_by
            release.set()


async def test_a_worker_that_drains_leaves_the_next_job_to_others(gw_database: str) -> None:
    started, may_end = asyncio.Event(), asyncio.Event()
    ran_by: list[str] = []

    @task(payload=None)
    async def step(ctx: WorkerContext) -> None:
        ran_by.append(ctx.worker_id)
        started.set()
        await may_end.wait()

    async with running(gw_database, tasks=[step], poll_interval=NO_POLL) as first:
        utils = first.create_utils()
        await utils.add_job(step, spec=JobSpec(queue_name="q"))
        await asyncio.wait_for(started.wait(), 15)
        async with running(gw_database, tasks=[step], poll_interval=NO_POLL) as second:
            await utils.add_job(step, spec=JobSpec(queue_name="q"))
            first.request_shutdown()
            may_end.set()

            async def both_ran() -> bool:
                return len(ran_by) == 2

            await until(both_ran)
            assert ran_by == [first.worker_id, second.worker_id]


def through(relay: Relay, url: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{relay.port}/{urlsplit(url).path[1:]}"


def socket_of(url: str) -> Path:
    query = parse_qs(urlsplit(url).query)
    return Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")


async def test_a_next_job_whose_answer_is_lost_is_given_back(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The release and the claim were carried out, and nobody heard of it."""
    done: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    @task()
    async def work(text: str, ctx: WorkerContext) -> None:
        done.put_nowait((text, ctx.job.attempts))

    async with (
        Relay(socket_of(gw_database)) as relay,
        sql(gw_database) as connection,
        running(through(relay, gw_database), tasks=[work], poll_interval=0.02),
    ):
        # The first one's claim passes; the second comes with the first one's release.
        relay.withhold_answers(from_one_with=b"the one after it")
        await connection.execute(
            "select graphile_worker.add_job('work', to_json(t), 'q') "
            "from unnest(array['the first', 'the one after it', 'the last']) as t"
        )
        assert await asyncio.wait_for(done.get(), 15) == ("the first", 1)

        async def taken() -> bool:
            return await connection.fetchval(
                "select exists (select from graphile_worker._private_jobs "
                "where payload::text = '\"the one after it\"' and locked_by is not null)"
            )

        await until(taken)
        assert done.empty()
        relay.answer_again()
        assert await asyncio.wait_for(done.get(), 15) == ("the one after it", 1)
        assert await asyncio.wait_for(done.get(), 15) == ("the last", 1)

        async def empty() -> bool:
            return not await connection.fetchval(
                "select count(*) from graphile_worker._private_jobs"
            )

        await until(empty)
    assert "handed back jobs whose claim was lost" in caplog.text


async def test_without_our_index_queues_are_served_all_the_same(gw_database: str) -> None:
    sheet = Sheet()

    @task()
    async def work(number: int, ctx: WorkerContext) -> None:
        await sheet.run(ctx, number)

    async with sql(gw_database) as connection:
        await connection.execute("drop index graphile_worker.graphile_worker_py_queue_heads")
        async with running(gw_database, tasks=[work], poll_interval=NO_POLL):
            await add_to_queue(connection, 50)
            await until(lambda: said(sheet, 50))
    assert sheet.order == list(range(1, 51))
    assert sheet.overlaps == 0


async def test_a_queue_whose_running_job_was_deleted_goes_on(gw_database: str) -> None:
    """Whoever deletes a running job leaves its queue locked; the worker that ran it unlocks it."""
    started, release, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @task("work")
    async def work(number: int) -> None:
        if number == 2:
            done.set()
            return
        started.set()
        await release.wait()

    async with (
        sql(gw_database) as connection,
        running(gw_database, tasks=[work], concurrency=1, poll_interval=NO_POLL),
    ):
        await add_to_queue(connection, 1)
        await asyncio.wait_for(started.wait(), 15)
        await connection.execute("delete from graphile_worker._private_jobs")
        release.set()

        async def unlocked() -> bool:
            return await connection.fetchval(
                "select locked_at is null from graphile_worker._private_job_queues"
            )

        await until(unlocked)
        await connection.execute("select graphile_worker.add_job('work', '2', 'q')")
        await asyncio.wait_for(done.wait(), 15)
