"""Workers that write history, and what can be read of it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool
from support.running import running, sql, until

from graphile_worker import (
    ConfigurationError,
    HistoryConfig,
    JobSpec,
    PermanentFailure,
    Snooze,
    SyncWorkerUtils,
    WorkerContext,
    WorkerOptions,
    WorkerUtils,
    task,
)
from graphile_worker.database.schema import Schema
from graphile_worker.queries.history import try_lock_history
from graphile_worker.worker import run_records

HOUR = timedelta(hours=1)
ALL = HistoryConfig(run_log="all")


@task(payload=None)
async def fine() -> None:
    await asyncio.sleep(0.01)


@task(payload=None, backoff=lambda _: timedelta(0))
async def second_time(ctx: WorkerContext) -> None:
    if ctx.job.attempts == 1:
        raise ValueError("not yet")


@task(payload=None)
async def hopeless() -> None:
    raise PermanentFailure("never")


@task
async def snoozing(payload: dict[str, Any], ctx: WorkerContext) -> None:
    if ctx.job.last_error is None and not ctx.get_ext(set):
        ctx.get_ext(set).add(ctx.job.id)
        raise Snooze(0)


TASKS = [fine, second_time, hopeless, snoozing]


async def done(url: str, **options: Any) -> None:
    """All jobs that are due, by a worker that ends."""
    given = {"tasks": TASKS, "extensions": [set()], **options}
    async with WorkerOptions(database_url=url, **given).init() as worker:
        await worker.run_once()


async def test_counts_and_attempts_are_what_was_done(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.add_jobs([fine.job() for _ in range(20)])
        twice = await utils.add_job(second_time, None, JobSpec(queue_name="q", job_key="k"))
        never = await utils.add_raw_job("hopeless")
        trace = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
        later = await utils.add_raw_job("snoozing", {"_trace": trace})
        await done(gw_database, history=ALL)

        history = utils.history
        work = {found.task: found for found in await history.tasks()}
        counts = {name: (w.completed, w.failed, w.dead) for name, w in work.items()}
        assert counts == {
            "fine": (20, 0, 0),
            "second_time": (1, 1, 0),
            "hopeless": (0, 0, 1),
            "snoozing": (1, 0, 0),
        }
        run, wait = work["fine"].run, work["fine"].wait
        assert run is not None
        assert wait is not None
        assert (run.count, wait.count) == (20, 20)
        assert run.p50 >= 0.01 / 1.23
        assert run.mean >= 0.01
        assert work["hopeless"].run is None
        assert work["second_time"].wait is not None
        assert work["second_time"].wait.count == 1, "a retry waits for its backoff"

        first, second = await history.attempts(twice.id)
        assert (first.attempt, first.outcome, first.error) == (1, "failed", "ValueError: not yet")
        assert (second.attempt, second.outcome, second.error) == (2, "completed", None)
        assert (first.queue, first.key, first.task) == ("q", "k", "second_time")
        assert first.started_at <= first.finished_at <= second.started_at <= second.finished_at
        assert abs(datetime.now(UTC) - second.finished_at) < timedelta(minutes=1)
        assert first.worker.startswith("graphile_worker_py")
        assert [r.outcome for r in await history.attempts(never.id)] == ["dead"]
        snoozed = await history.attempts(later.id)
        assert [run.outcome for run in snoozed] == ["snoozed", "completed"]
        assert {run.trace_id for run in snoozed} == {trace["trace_id"]}

        assert len(await history.runs(HOUR)) == 25
        assert len(await history.runs(HOUR, task="fine", limit=7)) == 7
        assert [run.job_id for run in await history.runs(HOUR, outcome="dead")] == [never.id]
        lasted = [r.finished_at - r.started_at for r in await history.runs(HOUR, slowest=True)]
        assert lasted == sorted(lasted, reverse=True)


@pytest.mark.parametrize("resolution", ["minute", "hour", "day"])
async def test_each_resolution_adds_up_what_several_workers_counted(
    gw_database: str, resolution: Any
) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.history.install()
        for _ in range(3):
            await utils.add_jobs([fine.job() for _ in range(5)])
            await done(gw_database)
        periods = await utils.history.periods(timedelta(days=2), resolution=resolution)
        assert sum(period.completed for period in periods) == 15
        assert sum(period.run.count for period in periods if period.run) == 15
        seconds = {"minute": 60, "hour": 3600, "day": 86400}[resolution]
        assert all(period.at.timestamp() % seconds == 0 for period in periods)
        assert await utils.history.periods(task="nothing") == []


async def test_over_a_pool_of_another_driver(gw_database: str) -> None:
    async with AsyncConnectionPool(gw_database, min_size=1, max_size=6, open=False) as pool:
        utils = WorkerUtils(pool)
        await utils.add_jobs([fine.job() for _ in range(3)])
        broken = await utils.add_raw_job("hopeless", None, JobSpec(queue_name="q"))
        options = {"database": pool, "direct_database_url": gw_database}
        given = {"tasks": TASKS, "extensions": [set()], "history": ALL, **options}
        async with WorkerOptions(**given).init() as worker:
            await worker.run_once()
        assert len(await utils.history.runs()) == 4
        [run] = await utils.history.attempts(broken.id)
        assert (run.error, run.queue, run.key) == ("never", "q", None)
        assert sum(period.completed for period in await utils.history.periods()) == 3


async def test_claims_by_transaction_are_recorded_as_others_are(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.add_jobs([fine.job() for _ in range(10)])
        await done(gw_database, history=ALL, claim_mode="transaction")
        assert [run.outcome for run in await utils.history.runs(task="fine")] == ["completed"] * 10
        [work] = await utils.history.tasks()
        assert (work.task, work.completed) == ("fine", 10)


async def test_by_default_only_what_did_not_end_well_is_logged(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.history.install()
        await utils.add_job(fine)
        twice = await utils.add_job(second_time)
        await done(gw_database)
        [run] = await utils.history.runs()
        assert (run.job_id, run.outcome) == (twice.id, "failed")


async def test_a_worker_writes_nothing_where_history_is_not_installed(gw_database: str) -> None:
    async with running(gw_database, tasks=TASKS) as worker, sql(gw_database) as db:
        assert not worker._hooks.watch_jobs
        assert await worker.create_utils().history.status() is None
        assert await ours(db) == []


async def test_a_worker_that_is_told_not_to_record_does_not(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.history.install(ALL)
        await utils.add_job(fine)
        await done(gw_database, history=False)
        assert await utils.history.runs() == []


async def test_a_running_worker_stores_without_being_stopped(gw_database: str) -> None:
    async with running(gw_database, tasks=TASKS, history=ALL) as worker:
        utils = worker.create_utils()
        job = await utils.add_job(fine)

        async def is_stored() -> bool:
            return len(await utils.history.attempts(job.id)) == 1

        await until(is_stored)
        [point] = await until(lambda: sampled(utils))
        assert (point.queue.workers, point.flow) == (1, None)


async def sampled(utils: WorkerUtils) -> Any:
    return await utils.history.samples()


async def test_attempts_of_a_worker_that_died_are_logged_by_the_one_that_found_it(
    gw_database: str,
) -> None:
    async with (
        sql(gw_database) as db,
        running(
            gw_database,
            tasks=TASKS,
            history=ALL,
            sweep_interval=0.05,
            sweep_threshold=1.0,
            heartbeat_interval=0.2,
        ) as worker,
    ):
        utils = worker.create_utils()
        await db.execute("select graphile_worker.worker_heartbeat('dead', '{}'::json)")
        await db.execute(
            "update graphile_worker._private_workers set last_heartbeat_at = now() - interval '1h' "
            "where id = 'dead'; "
            "select graphile_worker.add_job('fine', run_at := now() + interval '1h'); "
            "update graphile_worker._private_jobs set locked_by = 'dead', attempts = 1, "
            "locked_at = now() - interval '1 minute'"
        )

        async def is_logged() -> Any:
            return await utils.history.runs(outcome="interrupted")

        [run] = await until(is_logged)
        assert (run.worker, run.error, run.attempt) == ("dead", "WorkerCrashed", 1)
        assert run.finished_at - run.started_at >= timedelta(minutes=1)


async def test_a_worker_goes_on_when_history_is_uninstalled(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(gw_database, tasks=TASKS, history=ALL) as worker:
        utils = worker.create_utils()
        await utils.history.uninstall()
        await utils.add_job(fine)
        await until(lambda: said(caplog, "history was uninstalled"))
        await utils.add_job(fine)
        await until(lambda: nothing_left(utils))
    assert "hook" not in caplog.text


async def said(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return text in caplog.text


async def nothing_left(utils: WorkerUtils) -> bool:
    return not (await utils.stats()).total


async def test_room_for_a_day_is_made_when_it_is_missing(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        await utils.history.install(ALL)
        for day in await db.fetch(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'graphile_worker._gwx_run'::regclass"
        ):
            await db.execute(f"drop table {day[0]}")
        await utils.add_job(fine)
        await done(gw_database)
        assert len(await utils.history.runs()) == 1


async def test_attempts_wait_while_another_worker_makes_room(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        WorkerUtils.connect(gw_database) as utils,
        sql(gw_database) as db,
        sql(gw_database) as other,
    ):
        await utils.history.install(ALL)
        for day in await db.fetch(
            "select inhrelid::regclass::text from pg_inherits "
            "where inhparent = 'graphile_worker._gwx_run'::regclass"
        ):
            await db.execute(f"drop table {day[0]}")
        async with running(gw_database, tasks=TASKS, extensions=[set()]):
            async with other.transaction():
                tidying = try_lock_history(Schema("graphile_worker"))
                assert await other.fetchval(tidying.text, *tidying.args)
                await utils.add_job(fine)

                async def could_not() -> bool:
                    return "cannot store history" in caplog.text

                await until(could_not)
            await until(partial(stored, utils))
    assert "history lacks" not in caplog.text


async def stored(utils: WorkerUtils) -> bool:
    return bool(await utils.history.runs())


async def test_attempts_of_a_day_that_is_not_kept_do_not_keep_the_others(
    gw_database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They ended while the database was away for days."""
    is_long_ago = True

    def time_of_runs() -> float:
        return time.time() - (timedelta(days=30).total_seconds() if is_long_ago else 0.0)

    monkeypatch.setattr(run_records, "time", SimpleNamespace(time=time_of_runs))
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.history.install(ALL)
        async with running(gw_database, tasks=TASKS, extensions=[set()]):
            await utils.add_job(fine)
            await until(partial(nothing_left, utils))
            is_long_ago = False
            kept = await utils.add_job(fine)
            await until(partial(stored, utils))
        assert [run.job_id for run in await utils.history.runs()] == [kept.id]
    assert "history lacks 1 runs" in caplog.text


async def test_without_room_and_without_rights_jobs_run_all_the_same(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        await utils.history.install(ALL)
        await db.execute("alter table graphile_worker._gwx_run add constraint no check (false)")
        await db.execute("alter table graphile_worker._gwx_rollup add constraint no check (false)")
        await utils.add_jobs([fine.job() for _ in range(10)])
        async with WorkerOptions(
            database_url=gw_database, tasks=TASKS, extensions=[set()]
        ).init() as worker:
            assert (await worker.run_once()).completed == 10
    assert "history is incomplete" in caplog.text


async def test_what_is_too_old_is_deleted_and_days_are_dropped_whole(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        await utils.history.install(ALL)
        await db.execute("""
            create table graphile_worker._gwx_run_20200101 partition of graphile_worker._gwx_run
              for values from ('2020-01-01Z') to ('2020-01-02Z');
            insert into graphile_worker._gwx_run values
              (1, 1, '2020-01-01 12:00Z', 't', null, null, now(), now(), 'failed', 'w', null, null);
            insert into graphile_worker._gwx_rollup
              select r, now() - a, 't', 1, 0, 0, 1, 1, '{1}', '{1}'
              from unnest(array['minute', 'hour', 'day']) r,
                unnest(array['1 day', '3 days', '40 days', '500 days']::interval[]) a;
            insert into graphile_worker._gwx_sample
              select now() - a, 0, 0, 0, null, 0, 0, 0, 0, 0, 0, 0, 0
              from unnest(array['1 day', '40 days']::interval[]) a;
        """)
        assert await utils.history.prune()
        left = await db.fetch(
            "select resolution, count(*) from graphile_worker._gwx_rollup group by 1 order by 1"
        )
        assert [tuple(row) for row in left] == [("day", 3), ("hour", 2), ("minute", 1)]
        assert await db.fetchval("select count(*) from graphile_worker._gwx_sample") == 1
        assert await db.fetchval("select count(*) from graphile_worker._gwx_run") == 0
        assert await db.fetchval("select to_regclass('graphile_worker._gwx_run_20200101')") is None


async def test_samples_tell_what_went_through_between_them(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        await utils.history.install()
        await db.execute("""
            insert into graphile_worker._gwx_sample values
              (now() - interval '3 min', 100, 200, 100, null, 5, 1, 2, 3, 4, 6, 1.5, 2),
              (now() - interval '2 min', 160, 300, 150, null, 5, 1, 12, 3, 4, 6, 1.5, 2),
              (now() - interval '1 min', 5, 5, 5, null, 0, 0, 0, 0, 0, 0, 0, 0)
        """)
        first, second, third = await utils.history.samples(step=60)
        assert (first.flow, third.flow) == (None, None)
        assert second.flow is not None
        found = second.flow
        assert (found.enqueued, found.completed, found.failed_attempts) == (60, 50, 20.0)
        queue = first.queue
        assert (queue.ready, queue.blocked, queue.running, queue.retrying) == (5, 1, 2, 3)
        assert (queue.scheduled, queue.failed, queue.oldest_ready, queue.workers) == (4, 6, 1.5, 2)
        assert len(await utils.history.samples(step=3600)) <= 2


async def test_a_sample_counts_what_a_plain_count_counts(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        await utils.add_jobs([fine.job() for _ in range(3)])
        await utils.add_raw_job("fine", None, JobSpec(queue_name="q"))
        await utils.pause_queue("q")
        await utils.add_raw_job("fine", None, JobSpec(run_at=HOUR))
        again = await utils.add_raw_job("fine", None, JobSpec(run_at=HOUR))
        await utils.reschedule_jobs([again], attempts=2)
        await utils.permanently_fail_jobs([await utils.add_raw_job("fine")])
        await db.execute(
            "update graphile_worker._private_jobs set locked_at = now(), locked_by = 'w' "
            "where id = (select min(id) from graphile_worker._private_jobs)"
        )
        async with running(gw_database, tasks=[hopeless], history=ALL):
            [point] = await until(lambda: sampled(utils))
        queue = point.queue
        assert (queue.ready, queue.blocked, queue.running) == (2, 1, 1)
        assert (queue.retrying, queue.scheduled, queue.failed) == (1, 1, 1)
        assert queue.oldest_ready > 0


def test_without_an_event_loop(gw_database: str) -> None:
    with SyncWorkerUtils.connect(gw_database) as utils:
        history = utils.history
        assert history.status() is None
        assert not history.prune()
        history.install(HistoryConfig(run_log="off", keep_runs=86400))
        status = history.status()
        assert status is not None
        assert status.config == HistoryConfig(run_log="off", keep_runs=timedelta(days=1))
        assert status.sizes.samples > 0
        assert (history.periods(), history.tasks(), history.samples()) == ([], [], [])
        assert (history.attempts(1), history.runs()) == ([], [])
        assert history.counters().inserted == 0
        assert history.prune()
        assert history.uninstall() == []
        assert history.status() is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"run_log": "some"}, "run_log must be one of off, failed, all, got 'some'"),
        ({"keep_days": 0}, "keep_days must be more than 0 seconds"),
        ({"keep_runs": "7d"}, "keep_runs must be a timedelta or a number of seconds"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        HistoryConfig(**given)


async def test_readings_that_make_no_sense_are_refused(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        with pytest.raises(ConfigurationError, match="resolution must be minute, hour or day"):
            await utils.history.periods(resolution="week")  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="since must be more than 0"):
            await utils.history.runs(0)
        with pytest.raises(ConfigurationError, match="limit must be at least 0"):
            await utils.history.runs(limit=-1)
        with pytest.raises(ConfigurationError, match="history must be a HistoryConfig or False"):
            WorkerOptions(tasks=TASKS, history=True)  # type: ignore[arg-type]


async def ours(db: Any) -> list[str]:
    rows = await db.fetch("select relname from pg_class where relname like '\\_gwx%' order by 1")
    return [row[0] for row in rows]


async def test_a_database_that_is_away_does_not_hold_up_the_end(
    gw_database: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another session has the tables locked, which looks the same from here."""
    monkeypatch.setattr("graphile_worker.worker.history._LAST_STORE_WITHIN", 0.3)
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        await utils.history.install(ALL)
        await utils.add_job(fine)
        async with db.transaction():
            await db.execute("lock table graphile_worker._gwx_run, graphile_worker._gwx_rollup")
            async with asyncio.timeout(5):
                await done(gw_database)
        assert (await utils.stats()).total == 0
    assert "history is incomplete: no answer within 0.3 s" in caplog.text
