"""What PostgreSQL's counters say of any worker's work."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from support.running import running, sql, until

from graphile_worker import JobSpec, Worker, WorkerUtils, task
from graphile_worker.history.flow import Flow, flow
from graphile_worker.queries.history_reading import Counters

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = Counters(at=NOW, inserted=10, updated=20, deleted=5, stats_reset=NOW)


def test_attempts_that_failed_are_what_updates_are_left_over() -> None:
    after = replace(
        BEFORE, at=NOW + timedelta(seconds=8), inserted=10_610, updated=11_577, deleted=9_448
    )
    assert flow(BEFORE, after) == Flow(
        seconds=8.0, enqueued=10_600, completed=9_443, failed_attempts=1_057.0
    )
    assert flow(BEFORE, after, started=100).failed_attempts == 1_007.0  # type: ignore[union-attr]


def test_after_a_reset_nothing_is_known() -> None:
    assert flow(BEFORE, replace(BEFORE, deleted=4)) is None
    assert flow(BEFORE, replace(BEFORE, stats_reset=NOW + timedelta(days=1))) is None


def test_more_deletes_than_updates_are_no_failures() -> None:
    found = flow(BEFORE, replace(BEFORE, deleted=30))
    assert found is not None
    assert (found.completed, found.failed_attempts) == (25, 0.0)


@task(payload=None)
async def fine() -> None: ...


@task(payload=None)
async def broken() -> None:
    raise ValueError("no")


async def test_the_counters_agree_with_what_workers_did(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        before = await utils.history.counters()
        async with running(gw_database, tasks=[fine, broken]) as worker:
            await utils.add_jobs([fine.job() for _ in range(300)])
            await utils.add_jobs([broken.job(None, JobSpec(max_attempts=1)) for _ in range(40)])
            await until(lambda: is_done(worker, failed=40))

        async def counted() -> bool:
            # Sessions tell what they did at the latest when they end.
            await db.execute("select pg_stat_clear_snapshot()")
            after = await utils.history.counters()
            found = flow(before, after)
            assert found is not None
            return (found.enqueued, found.completed, found.failed_attempts) == (340, 300, 40.0)

        await until(counted)


async def is_done(worker: Worker, *, failed: int) -> bool:
    stats = await worker.create_utils().stats()
    return (stats.total, stats.failed) == (failed, failed)
