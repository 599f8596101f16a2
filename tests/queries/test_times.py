"""Times cross as seconds, and the fence is as exact as the times in the table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphile_worker import WorkerUtils
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.stored import moment
from graphile_worker.queries import admin_jobs, admin_samples
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.history import add_sample
from graphile_worker.queries.release_jobs import release_claim, release_completed
from graphile_worker.queries.task_ids import register_tasks
from graphile_worker.queries.watch_frame import watch_frame
from graphile_worker.queries.watch_queue import queue_reading, unserved_tasks
from graphile_worker.queries.workers import locked_jobs_of

SCHEMA = Schema("graphile_worker")
JOBS = "graphile_worker._private_jobs"
MICROSECOND = timedelta(microseconds=1)
KNOWN = st.datetimes(timezones=st.just(UTC)).map(
    lambda at: at.replace(year=1970 + at.year % 135, day=min(at.day, 28))
)


@pytest.fixture
async def database(gw_database: str) -> AsyncIterator[Database]:
    database = await connect(gw_database, max_connections=1)
    yield database
    await database.aclose()


@pytest.fixture
async def sql(gw_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(gw_database)
    yield connection
    await connection.close()


async def claimed(database: Database, *, now: datetime | None = None) -> list[ClaimedJob]:
    ids = list(await database.run(register_tasks(SCHEMA, ["t"])))
    return await database.run(
        claim_jobs(
            SCHEMA,
            worker_id="w",
            task_ids=ids,
            forbidden_flags=None,
            now=now,
            limit=5,
            look=Look.PLAIN,
        )
    )


async def add(sql: asyncpg.Connection, *run_at: datetime | str) -> None:
    for one in run_at:
        text = one if isinstance(one, str) else one.isoformat()
        await sql.execute(f"select from graphile_worker.add_job('t', run_at => '{text}')")


@given(now=KNOWN)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_a_job_is_released_only_as_it_was_claimed(
    database: Database, sql: asyncpg.Connection, now: datetime
) -> None:
    await sql.execute(f"truncate {JOBS}")
    await add(sql, "-infinity")
    [job] = await claimed(database, now=now)
    assert moment(job.locked_at) == now == await sql.fetchval(f"select locked_at from {JOBS}")
    for wrong in (now - MICROSECOND, now + MICROSECOND):
        other = job._replace(locked_at=wrong.timestamp())
        assert not await database.run(release_completed(SCHEMA, worker_id="w", jobs=[other]))
        assert not await database.run(release_claim(SCHEMA, worker_id="w", jobs=[other]))
    release = release_claim(SCHEMA, worker_id="w", jobs=[job, job._replace(id=0)])
    assert await database.run(release) == {job.id}


async def test_a_clock_far_in_the_future_is_no_obstacle(
    database: Database, sql: asyncpg.Connection
) -> None:
    now = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    await add(sql, "now")
    [job] = await claimed(database, now=now)
    stored = await database.run(release_completed(SCHEMA, worker_id="w", jobs=[job]))
    assert stored == {job.id: True}


async def test_every_run_at_that_is_due_can_be_claimed(
    database: Database, sql: asyncpg.Connection
) -> None:
    await add(sql, "-infinity", "4000-01-01 BC", datetime(1, 1, 1, tzinfo=UTC), "1970-01-01 UTC")
    jobs = await claimed(database)
    seen = [moment(job.run_at) for job in jobs]
    first = datetime.min.replace(tzinfo=UTC)
    assert seen == [first, first, first, datetime(1970, 1, 1, tzinfo=UTC)]
    assert jobs[0].job("t", "w").run_at == first


@given(at=KNOWN)
def test_a_moment_is_the_time_to_the_microsecond(at: datetime) -> None:
    assert moment(at.timestamp()) == at


async def test_a_time_that_python_cannot_hold_hides_nothing(
    database: Database, sql: asyncpg.Connection
) -> None:
    utils = WorkerUtils(database)
    await utils.migrate()
    await utils.history.install()
    await add(sql, "-infinity", "4000-01-01 BC", "20000-01-01", "infinity")
    await sql.execute(f"update {JOBS} set attempts = 1, last_error = 'x'")
    ids = [row["id"] for row in await sql.fetch(f"select id from {JOBS} order by id")]
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

    rows = await database.run(
        admin_jobs.job_rows(SCHEMA, ids, admin_jobs.Workers(dead=[], claimed=None))
    )
    assert [row.run_at for row in rows] == [first, first, last, last]
    groups = await database.run(admin_samples.groups(SCHEMA))
    assert {group.state: group.first_run_at for group in groups} == {
        "ready": first,
        "retrying": last,
    }
    assert (await database.run(admin_samples.pulse(SCHEMA))).oldest_run_at == first
    await database.run(admin_samples.failures(SCHEMA, scope=10, task=None, limit=10))
    await database.run(add_sample(SCHEMA))
    oldest = (await database.run(queue_reading(SCHEMA))).oldest_ready
    assert 2000 * 365 * 86400 < oldest < float("inf")
    assert await database.run(unserved_tasks(SCHEMA, due_for=60.0)) == []
    frame = await database.run(watch_frame(SCHEMA))
    assert frame.oldest_seconds == frame.tasks[0].oldest_seconds
    assert frame.oldest_seconds > 2000 * 365 * 86400
    await sql.execute(f"update {JOBS} set locked_at = now() - interval '1 h', locked_by = 'w'")
    held = await database.run(locked_jobs_of(SCHEMA, ["w"], threshold=60.0))
    assert [job.run_at for job in held] == [first, first, last, last]
    await sql.execute(f"delete from {JOBS}")
    assert (await database.run(admin_samples.pulse(SCHEMA))).oldest_run_at is None
    assert (await database.run(watch_frame(SCHEMA))).oldest_seconds is None
