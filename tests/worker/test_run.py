"""`Worker.run`: notifications, shutdown, lost connections."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

import asyncpg
import pytest
from support.running import running, sql, until

from graphile_worker import (
    JobSpec,
    JobState,
    Worker,
    WorkerContext,
    WorkerOptions,
    WorkerShutdownConfig,
    task,
)

NEVER_POLLS = timedelta(hours=1)


def counting(name: str = "count") -> tuple[object, asyncio.Queue[int]]:
    done: asyncio.Queue[int] = asyncio.Queue()

    @task(name, payload=None)
    async def count(ctx: WorkerContext) -> None:
        done.put_nowait(ctx.job.id)

    return count, done


async def get(done: asyncio.Queue[int]) -> int:
    return await asyncio.wait_for(done.get(), 15)


async def test_a_notification_wakes_the_worker_without_a_poll(gw_database: str) -> None:
    count, done = counting()
    async with running(gw_database, tasks=[count], poll_interval=NEVER_POLLS) as worker:
        utils = worker.create_utils()
        for _ in range(3):
            job = await utils.add_job(count)
            assert await get(done) == job.id


async def test_jobs_added_in_sql_run_when_the_transaction_commits(gw_database: str) -> None:
    count, done = counting()
    async with (
        running(gw_database, tasks=[count], poll_interval=NEVER_POLLS),
        sql(gw_database) as connection,
    ):
        async with connection.transaction():
            await connection.execute("select graphile_worker.add_job('count')")
            assert done.empty()
        await get(done)


async def test_polling_alone_is_enough(gw_database: str) -> None:
    count, done = counting()
    async with running(
        gw_database, tasks=[count], use_notification_delivery=False, poll_interval=0.02
    ) as worker:
        await worker.create_utils().add_job(count)
        await get(done)


async def test_polling_finds_what_falls_due_later(gw_database: str) -> None:
    count, done = counting()
    async with running(gw_database, tasks=[count], poll_interval=0.02) as worker:
        await worker.create_utils().add_job(count, None, JobSpec(run_at=timedelta(seconds=0.2)))
        await get(done)


async def test_a_backlog_is_worked_off_without_polls(gw_database: str) -> None:
    count, done = counting()
    options = WorkerOptions(database_url=gw_database, tasks=[count])
    async with options.init() as idle:
        await idle.create_utils().add_jobs(count, [None] * 100)
    async with running(gw_database, tasks=[count], poll_interval=NEVER_POLLS):
        assert len({await get(done) for _ in range(100)}) == 100


async def test_the_next_job_of_a_queue_follows_without_a_poll(gw_database: str) -> None:
    count, done = counting()
    async with running(gw_database, tasks=[count], poll_interval=NEVER_POLLS) as worker:
        jobs = [count.job(None, JobSpec(queue_name="q")) for _ in range(20)]
        added = await worker.create_utils().add_jobs(jobs)
        assert [await get(done) for _ in added] == [job.id for job in added]


async def test_shutdown_lets_running_jobs_end_and_takes_no_more(gw_database: str) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def slow(ctx: WorkerContext) -> None:
        started.set()
        await ctx.shutting_down.wait()
        await release.wait()

    async with WorkerOptions(
        database_url=gw_database, tasks=[slow], concurrency=1, listen_os_shutdown_signals=False
    ).init() as worker:
        utils = worker.create_utils()
        await utils.add_jobs(slow, [None, None])
        run = asyncio.create_task(worker.run())
        await started.wait()
        worker.request_shutdown()
        release.set()
        await asyncio.wait_for(run, 10)
        [left] = await utils.list_jobs()
    assert (left.attempts, left.state) == (0, JobState.READY)


async def test_after_the_grace_period_a_job_is_handed_back_with_its_attempt(
    gw_database: str,
) -> None:
    started, cleaned = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    shutdown = WorkerShutdownConfig(
        grace_period=0.05, interrupted_job_retry_delay=30, listen_os_shutdown_signals=False
    )
    options = WorkerOptions(database_url=gw_database, tasks=[endless], shutdown=shutdown)
    async with options.init() as worker:
        utils = worker.create_utils()
        added = await utils.add_job(endless, None, JobSpec(queue_name="q"))
        run = asyncio.create_task(worker.run())
        await started.wait()
        worker.request_shutdown()
        await asyncio.wait_for(run, 10)
        job = await utils.get_job(added.id)
    assert cleaned.is_set()
    assert job is not None
    assert (job.attempts, job.locked_by) == (0, None)
    assert job.last_error == "Job recovered after worker interruption"
    assert timedelta(seconds=30) <= job.run_at - added.run_at < timedelta(seconds=40)
    async with sql(gw_database) as connection:
        assert (
            await connection.fetchval(
                "select count(*) from graphile_worker._private_job_queues where locked_at is not null"
            )
            == 0
        )


async def test_a_handler_that_ignores_cancellation_does_not_hold_the_worker_up(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def stubborn() -> None:
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with WorkerOptions(
        database_url=gw_database,
        tasks=[stubborn],
        shutdown_grace_period=0,
        listen_os_shutdown_signals=False,
    ).init() as worker:
        utils = worker.create_utils()
        added = await utils.add_job(stubborn)
        run = asyncio.create_task(worker.run())
        await started.wait()
        worker.request_shutdown()
        await asyncio.wait_for(run, 10)
        job = await utils.get_job(added.id)
        release.set()
    assert job is not None
    assert (job.attempts, job.locked_by) == (0, None)
    assert "ignores cancellation" in caplog.text


async def test_cancelling_run_hands_the_jobs_back_first(gw_database: str) -> None:
    started = asyncio.Event()

    @task(payload=None)
    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    async with WorkerOptions(
        database_url=gw_database, tasks=[endless], listen_os_shutdown_signals=False
    ).init() as worker:
        utils = worker.create_utils()
        added = await utils.add_job(endless)
        run = asyncio.create_task(worker.run())
        await started.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        job = await utils.get_job(added.id)
    assert job is not None
    assert (job.attempts, job.locked_by) == (0, None)


async def test_however_often_run_is_cancelled_the_jobs_are_handed_back_first(
    gw_database: str,
) -> None:
    """Some libraries cancel anew at each turn of the loop until the cancelled code has ended."""
    started = asyncio.Event()

    @task(payload=None)
    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    worker = await WorkerOptions(
        database_url=gw_database, tasks=[endless], listen_os_shutdown_signals=False
    ).init()
    await worker.create_utils().add_job(endless)
    run = asyncio.create_task(worker.run())
    await started.wait()
    closing = asyncio.create_task(worker.aclose())
    while not run.done():
        run.cancel()
        assert not closing.done()
        await asyncio.sleep(0)
    assert run.cancelled()
    async with sql(gw_database) as connection:
        [job] = await connection.fetch("select * from graphile_worker._private_jobs")
    assert (job["attempts"], job["locked_by"]) == (0, None)
    await closing


async def test_the_hosts_own_signal_starts_the_shutdown(gw_database: str) -> None:
    count, _ = counting()
    event = asyncio.Event()
    for trigger in (event, event.wait()):
        options = WorkerOptions(
            database_url=gw_database,
            tasks=[count],
            shutdown_signal=trigger,
            listen_os_shutdown_signals=False,
        )
        async with options.init() as worker:
            run = asyncio.create_task(worker.run())
            event.set()
            await asyncio.wait_for(run, 10)


async def test_closing_a_running_worker_drains_it(gw_database: str) -> None:
    count, done = counting()
    options = WorkerOptions(
        database_url=gw_database, tasks=[count], listen_os_shutdown_signals=False
    )
    worker = await options.init()
    run = asyncio.create_task(worker.run())
    await worker.create_utils().add_job(count)
    await get(done)
    await worker.aclose()
    assert run.done()
    await worker.aclose()


async def test_closing_leaves_no_connection_however_often_it_is_cancelled(
    gw_database: str,
) -> None:
    count, _ = counting()
    worker = await WorkerOptions(database_url=gw_database, tasks=[count]).init()
    await worker.run_once()
    closing = asyncio.create_task(worker.aclose())
    await asyncio.sleep(0)
    while not closing.done():
        closing.cancel()
        await asyncio.sleep(0)
    assert closing.cancelled()
    async with sql(gw_database) as connection:

        async def alone() -> bool:
            return await connection.fetchval(
                "select count(*) = 1 from pg_stat_activity where datname = current_database()"
            )

        await until(alone)


async def test_the_worker_survives_the_loss_of_all_its_connections(gw_database: str) -> None:
    count, done = counting()
    async with (
        running(gw_database, tasks=[count], poll_interval=0.05) as worker,
        sql(gw_database) as connection,
    ):
        utils = worker.create_utils()
        await utils.add_job(count)
        await get(done)
        for _ in range(3):
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
            await connection.execute("select graphile_worker.add_job('count')")
            await get(done)

        async def released() -> bool:
            return not await connection.fetchval(
                "select count(*) from graphile_worker._private_jobs"
            )

        await until(released)


async def test_an_outcome_survives_a_connection_that_is_lost_before_it_is_stored(
    gw_database: str,
) -> None:
    """The claim's and the release's connections die while the handler runs."""
    started, release = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def slow() -> None:
        started.set()
        await release.wait()

    async with (
        running(gw_database, tasks=[slow]) as worker,
        sql(gw_database) as connection,
    ):
        await worker.create_utils().add_job(slow)
        await started.wait()
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        release.set()

        async def done() -> bool:
            return not await connection.fetchval(
                "select count(*) from graphile_worker._private_jobs"
            )

        await until(done)


async def test_a_job_that_was_taken_away_is_not_touched(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Swept and claimed again under the same id: only `locked_at` tells the two apart."""
    started, release = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def slow() -> None:
        started.set()
        await release.wait()

    async with (
        running(gw_database, tasks=[slow]) as worker,
        sql(gw_database) as connection,
    ):
        added = await worker.create_utils().add_job(slow)
        await started.wait()
        await connection.execute(
            "update graphile_worker._private_jobs set locked_at = locked_at + interval '1 second'"
        )
        release.set()

        async def reported() -> bool:
            return "is no longer held" in caplog.text

        await until(reported)
        assert (
            await connection.fetchval(
                "select locked_by from graphile_worker._private_jobs where id = $1", added.id
            )
            == worker.worker_id
        )
        await connection.execute("delete from graphile_worker._private_jobs")


@pytest.mark.parametrize("queue", [None, "q"])
async def test_a_row_locked_elsewhere_holds_up_its_own_completion_only(
    gw_database: str, queue: str | None
) -> None:
    """`add_job` with the key of a running job locks its row until the caller commits."""
    started, release = asyncio.Event(), asyncio.Event()
    count, done = counting()

    @task(payload=None)
    async def keyed() -> None:
        started.set()
        await release.wait()

    async with (
        running(gw_database, tasks=[keyed, count]) as worker,
        sql(gw_database) as connection,
    ):
        utils = worker.create_utils()
        first = await utils.add_job(keyed, None, JobSpec(job_key="k", queue_name=queue))
        await started.wait()
        async with connection.transaction():
            await connection.execute(
                "select * from graphile_worker.add_job('keyed', job_key => 'k', run_at => now() + "
                "interval '1 hour')"
            )
            release.set()
            for _ in range(5):
                job = await utils.add_job(count)
                await get(done)

                async def gone(job_id: int = job.id) -> bool:
                    return await utils.get_job(job_id) is None

                await until(gone)
            held = await utils.get_job(first.id)
            assert held is not None
            assert held.locked_by == worker.worker_id

        async def completed() -> bool:
            return await utils.get_job(first.id) is None

        await until(completed)


async def test_a_job_deleted_by_hand_leaves_no_locked_queue_behind(gw_database: str) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def slow() -> None:
        started.set()
        await release.wait()

    async with (
        running(gw_database, tasks=[slow]) as worker,
        sql(gw_database) as connection,
    ):
        await worker.create_utils().add_job(slow, None, JobSpec(queue_name="q"))
        await started.wait()
        await connection.execute("delete from graphile_worker._private_jobs")
        release.set()

        async def unlocked() -> bool:
            return await connection.fetchval(
                "select is_available from graphile_worker._private_job_queues"
            )

        await until(unlocked)


async def test_ten_workers_share_a_queue_without_overlap_or_loss(gw_database: str) -> None:
    running_now, overlaps, done = set(), 0, 0
    finished = asyncio.Event()

    @task
    async def serial(payload: int) -> None:
        nonlocal overlaps, done
        queue = payload % 7
        overlaps += queue in running_now
        running_now.add(queue)
        await asyncio.sleep(0)
        running_now.discard(queue)
        done += 1
        if done == 700:
            finished.set()

    async with asyncio.TaskGroup() as group:
        workers = []
        for _ in range(10):
            options = WorkerOptions(
                database_url=gw_database,
                tasks=[serial],
                concurrency=3,
                max_pg_conn=5,
                poll_interval=0.05,
                listen_os_shutdown_signals=False,
            )
            workers.append(await options.init())
            group.create_task(workers[-1].run())
        await (
            workers[0]
            .create_utils()
            .add_jobs([serial.job(n, JobSpec(queue_name=f"q{n % 7}")) for n in range(700)])
        )
        await asyncio.wait_for(finished.wait(), 40)
        for worker in workers:
            await worker.aclose()
    assert (overlaps, done) == (0, 700)


async def test_handlers_that_hold_the_whole_pool_do_not_stop_the_claims(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not while the idle worker looks its task ids up again."""
    monkeypatch.setattr("graphile_worker.worker.task_ids._REFRESH_AFTER", 0)
    holding, release = asyncio.Event(), asyncio.Event()
    count, done = counting()

    @task(payload=None)
    async def hold(ctx: WorkerContext) -> None:
        async with ctx.database.connection():
            holding.set()
            await release.wait()

    async with (
        running(gw_database, tasks=[count, hold], max_pg_conn=5, poll_interval=0.02),
        sql(gw_database) as connection,
    ):
        await connection.execute("select graphile_worker.add_job('hold')")
        await holding.wait()
        for _ in range(3):
            await connection.execute("select graphile_worker.add_job('count')")
            await get(done)
        release.set()


async def test_an_urgent_job_does_not_wait_for_the_end_of_a_backlog(gw_database: str) -> None:
    """While claims come back full, the next begins where the last one ended; not for long."""
    ran = 0
    urgent_ran = asyncio.Event()

    @task()
    async def work(name: str, ctx: WorkerContext) -> None:
        nonlocal ran
        ran += 1
        if name == "urgent":
            urgent_ran.set()
        elif ran == 200:
            await ctx.add_job(work, "urgent", JobSpec(priority=-1))
        elif not urgent_ran.is_set():
            # The backlog never ends: each job of it adds the next, behind where claims are.
            await ctx.add_job(work, "backlog", JobSpec(run_at=timedelta(0)))

    async with running(gw_database, tasks=[work], concurrency=2) as worker:
        await worker.create_utils().add_jobs(work, ["backlog"] * 20)
        await asyncio.wait_for(urgent_ran.wait(), 30)


async def test_what_a_plain_claim_cannot_see_is_not_left_to_the_poll(gw_database: str) -> None:
    """The last job of a backlog brings one of a named queue that nobody announces."""
    done = asyncio.Event()

    @task()
    async def work(number: int, ctx: WorkerContext) -> None:
        if number == 30:
            async with ctx.database.connection() as connection:
                await connection.script(
                    "insert into graphile_worker._private_job_queues (queue_name) values ('q');"
                    "insert into graphile_worker._private_jobs (task_id, job_queue_id, payload) "
                    "select t.id, q.id, '31' from graphile_worker._private_tasks as t, "
                    "graphile_worker._private_job_queues as q"
                )
        if number == 31:
            done.set()

    async with running(
        gw_database, tasks=[work], concurrency=1, poll_interval=NEVER_POLLS
    ) as worker:
        await worker.create_utils().add_jobs(work, range(1, 31))
        await asyncio.wait_for(done.wait(), 30)


async def test_jobs_with_and_without_a_queue_wake_an_idle_worker(gw_database: str) -> None:
    count, done = counting()
    async with (
        running(gw_database, tasks=[count], poll_interval=NEVER_POLLS),
        sql(gw_database) as connection,
    ):
        for queue in (None, None, "q", None, "q", "r", None, None, "q"):
            await connection.execute(
                "select graphile_worker.add_job('count', queue_name => $1)", queue
            )
            await get(done)


async def test_a_worker_all_of_whose_tasks_are_paused_rests(gw_database: str) -> None:
    """Called by a job, it neither asks for jobs, of which it would read all, nor goes round."""
    count, done = counting()
    async with (
        running(gw_database, tasks=[count], poll_interval=NEVER_POLLS) as worker,
        sql(gw_database) as connection,
    ):
        await connection.execute("select graphile_worker.add_job('count')")
        await get(done)
        utils = worker.create_utils()
        await utils.pause_task("count")
        await until(lambda: claims_nothing(worker))
        paused_at, moment = await connection.fetchval("select clock_timestamp()"), time.monotonic()
        await connection.execute("select graphile_worker.add_job('count')")
        await until(lambda: has_looked(worker, since=moment))
        await until(lambda: has_rested(worker, seconds=0.5))
        assert await claims_since(connection, paused_at) == []
        assert await utils.resume_task("count")
        await get(done)


async def claims_nothing(worker: Worker) -> bool:
    """Whether it knows that all is paused; a claim that was sent before is answered by then."""
    assert worker._parts is not None
    async with worker._parts.engine.claimer.turn:
        return not worker._task_ids.ids


async def has_looked(worker: Worker, *, since: float) -> bool:
    ago = worker.health().since_last_claim
    return ago is not None and ago.total_seconds() < time.monotonic() - since


async def has_rested(worker: Worker, *, seconds: float) -> bool:
    ago = worker.health().since_last_claim
    return ago is not None and ago.total_seconds() > seconds


async def claims_since(connection: asyncpg.Connection, moment: datetime) -> list[str]:
    """The last statement for claims, if it was sent after that and is a claim."""
    rows = await connection.fetch(
        "select query from pg_stat_activity where datname = current_database() "
        "and application_name = 'graphile-worker claim' and query_start > $1",
        moment,
    )
    return [row["query"] for row in rows if row["query"] != "discard plans"]
