"""Warnings about the queue, the pool and the database."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from support.pgbouncer import PROGRAM, pgbouncer
from support.running import running, sql, until

from graphile_worker import ConfigurationError, WorkerContext, WorkerOptions, task
from graphile_worker.queries.watch_queue import QueueReading
from graphile_worker.telemetry.prometheus import Prometheus
from graphile_worker.telemetry.queue_watch import QueueWatch, Seen, Thresholds, problems


@task(payload=None)
async def work() -> None: ...


def alerts(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (record.alert, record.getMessage()) for record in caplog.records if hasattr(record, "alert")
    ]


async def alerted(caplog: pytest.LogCaptureFixture, name: str, text: str) -> bool:
    return any(alert == name and text in message for alert, message in alerts(caplog))


async def test_an_old_ready_job_is_told_once_and_its_end_too(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[Seen] = []
    watch = QueueWatch(interval=0.1)
    watch.subscribe(looks.append)
    async with running(gw_database, tasks=[work], plugins=[watch]), sql(gw_database) as db:
        await db.execute(
            "select graphile_worker.add_job('other', run_at => now() - interval '10 minutes')"
        )
        await until(lambda: alerted(caplog, "old_ready_job", "1 jobs are ready, the first since"))
        more = len(looks) + 3
        await until(lambda: at_least(looks, more))
        await db.execute("delete from graphile_worker._private_jobs")
        await until(lambda: alerted(caplog, "old_ready_job", "over: old ready job"))
    names = [name for name, _ in alerts(caplog)]
    assert names.count("old_ready_job") == 2, "not once a look"


async def at_least(things: list[Any], count: int) -> bool:
    return len(things) >= count


async def test_a_transaction_that_holds_back_vacuum_is_told(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    watch = QueueWatch(interval=0.1, thresholds=Thresholds(oldest_transaction=0.2))
    async with sql(gw_database) as other, other.transaction(isolation="repeatable_read"):
        await other.fetch("select 1 from graphile_worker._private_jobs")
        async with running(gw_database, tasks=[work], plugins=[watch]):
            await until(lambda: alerted(caplog, "old_transaction", "keeps vacuum from"))


async def register(db: asyncpg.Connection, name: str, metadata: object) -> None:
    await db.execute(
        "select graphile_worker.worker_heartbeat($1, $2::text::json)", name, json.dumps(metadata)
    )


async def test_due_jobs_that_no_running_worker_knows_are_told(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[Seen] = []
    watch = QueueWatch(interval=0.1, thresholds=Thresholds(unserved=0.1))
    watch.subscribe(looks.append)
    async with running(gw_database, tasks=[work], plugins=[watch]), sql(gw_database) as db:
        await register(db, "a", {"kind": "python", "tasks": ["work", "known"]})
        await db.execute("""
            select graphile_worker.add_job('known', run_at => now() - interval '1 minute');
            select graphile_worker.add_job('orphan', run_at => now() - interval '1 minute');
            select graphile_worker.add_job('later', run_at => now() + interval '1 minute');
        """)
        await until(lambda: alerted(caplog, "unserved_tasks", "knows: 'orphan'"))
        assert looks[-1].unserved == ("orphan",)
        await register(db, "b", {"pid": 1})  # a Rust worker, which does not say what it knows
        await until(lambda: alerted(caplog, "unserved_tasks", "over"))


async def test_an_exhausted_pool_is_told(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    held, go = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def hold(ctx: WorkerContext) -> None:
        async with ctx.database.connection():
            held.set()
            await go.wait()

    watch = QueueWatch(interval=0.1, thresholds=Thresholds(pool_wait=0.2))
    async with running(gw_database, tasks=[hold], plugins=[watch], max_pg_conn=5) as worker:
        async with sql(gw_database) as db:
            await db.execute("select graphile_worker.add_job('hold')")
        await asyncio.wait_for(held.wait(), 15)
        await until(lambda: alerted(caplog, "pool_exhausted", "raise max_pg_conn"))
        go.set()
        await until(lambda: alerted(caplog, "pool_exhausted", "over"))
        assert worker.worker_id


async def test_one_watch_looks_at_the_schema_of_each_worker_until_that_one_ends(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[Seen] = []
    watch = QueueWatch(interval=0.1)
    watch.subscribe(looks.append)
    options = {"database_url": gw_database, "tasks": [work], "plugins": [watch]}
    options |= {"listen_os_shutdown_signals": False}
    async with (
        WorkerOptions(**options, schema="first").init() as first,
        WorkerOptions(**options, schema="second").init() as second,
        sql(gw_database) as db,
    ):
        runs = [asyncio.create_task(worker.run()) for worker in (first, second)]
        await until(lambda: has_queue_of(looks, "first"))
        await until(lambda: has_queue_of(looks, "second"))
        await db.execute("select second.add_job('other', run_at => now() - interval '1 hour')")
        await until(lambda: alerted(caplog, "old_ready_job", "1 jobs are ready"))
        del looks[:]
        await until(lambda: has_queue_of(looks, "first"))
        assert not await alerted(caplog, "old_ready_job", "over"), "the other schema is another"
        first.request_shutdown()
        await runs[0]
        del looks[:]
        await until(lambda: has_queue_of(looks, "second"))
        assert {seen.schema for seen in looks} == {"second"}
        second.request_shutdown()
        await runs[1]
    told = [record for record in caplog.records if hasattr(record, "alert")]
    assert {getattr(record, "schema", None) for record in told} == {"second"}


async def has_queue_of(looks: list[Seen], schema: str) -> bool:
    return any(seen.schema == schema and seen.queue is not None for seen in looks)


async def test_the_watch_keeps_no_connection_of_a_pool_that_it_was_given(gw_database: str) -> None:
    looks: list[Seen] = []
    watch = QueueWatch(interval=0.1)
    watch.subscribe(looks.append)
    async with (
        asyncpg.create_pool(gw_database, min_size=0, max_size=5) as pool,
        running(None, database=pool, tasks=[work], plugins=[watch]) as worker,
    ):
        await until(lambda: has_queue(looks))
        async with asyncio.timeout(10):
            await worker.create_utils().add_job(work)
        del looks[:]
        await until(lambda: has_queue(looks))


@pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer on this machine")
async def test_behind_a_pooler_the_watch_leaves_no_lock_that_stops_the_next_one(
    gw_database: str,
) -> None:
    looks: list[Seen] = []
    watch = QueueWatch(interval=0.1)
    watch.subscribe(looks.append)
    with pgbouncer(gw_database, server_connections=4) as pooled:
        options = {"use_notification_delivery": False, "prepared_statements": False}
        for _ in range(2):
            del looks[:]
            async with running(pooled, tasks=[work], plugins=[watch], **options):
                await until(lambda: has_queue(looks))


@pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer on this machine")
async def test_behind_a_pooler_one_of_all_workers_watches_by_the_direct_road(
    gw_database: str,
) -> None:
    first, second = QueueWatch(interval=0.1), QueueWatch(interval=0.1)
    looks: list[Seen] = []
    others: list[Seen] = []
    first.subscribe(looks.append)
    second.subscribe(others.append)
    options = {"direct_database_url": gw_database, "prepared_statements": False}
    with pgbouncer(gw_database, server_connections=4) as pooled:
        async with running(pooled, tasks=[work], plugins=[second], **options):
            async with running(pooled, tasks=[work], plugins=[first], **options):
                await until(lambda: has_queue([*looks, *others]))
                more, rest = len(looks) + 3, len(others) + 3
                await until(lambda: at_least(looks, more))
                await until(lambda: at_least(others, rest))
                assert await has_queue(looks) != await has_queue(others), "one of them watches"
            del others[:]
            await until(lambda: has_queue(others))  # the first one left no lock


async def test_a_pool_is_not_asked_to_watch_what_a_worker_with_a_url_watches(
    gw_database: str,
) -> None:
    watch, other = QueueWatch(interval=0.1), QueueWatch(interval=0.1)
    looks: list[Seen] = []
    others: list[Seen] = []
    watch.subscribe(looks.append)
    other.subscribe(others.append)
    async with (
        running(gw_database, tasks=[work], plugins=[watch]),
        asyncpg.create_pool(gw_database, min_size=0, max_size=5) as pool,
    ):
        await until(lambda: has_queue(looks))
        async with running(None, database=pool, tasks=[work], plugins=[other]):
            await until(lambda: at_least(others, 3))
    assert not await has_queue(others)


async def test_two_plugins_with_one_watch_look_once(gw_database: str) -> None:
    looks: list[Seen] = []
    watch = QueueWatch(interval=0.1)
    watch.subscribe(looks.append)
    async with running(gw_database, tasks=[work], plugins=[watch, Prometheus(watch=watch)]):
        await until(lambda: at_least(looks, 3))
    assert not [seen for seen in looks if seen.queue is None], "nobody else looks"


async def test_who_watches_does_so_while_the_pool_is_exhausted(gw_database: str) -> None:
    looks: list[Seen] = []
    watch = QueueWatch(interval=0.1, thresholds=Thresholds(pool_wait=0.1))
    watch.subscribe(looks.append)

    async def exhausted_and_seen() -> bool:
        return any(seen.pool_wait >= 0.1 and seen.queue is not None for seen in looks)

    async with running(gw_database, tasks=[work], plugins=[watch], max_pg_conn=5) as worker:
        await until(lambda: has_queue(looks))
        async with worker._database.connection():
            await until(exhausted_and_seen)


async def test_the_watch_survives_a_database_that_goes_away(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[Seen] = []
    watch = QueueWatch(interval=0.1)
    watch.subscribe(looks.append)
    async with running(gw_database, tasks=[work], plugins=[watch]), sql(gw_database) as db:
        await until(lambda: has_queue(looks))
        await db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        del looks[:]
        await until(lambda: has_queue(looks))


@pytest.fixture
def fields_on_records() -> Iterator[None]:
    """A program whose record factory sets fields that ours has too; then `extra=` may not."""
    usual = logging.getLogRecordFactory()

    def factory(*args: Any, **more: Any) -> logging.LogRecord:
        record = usual(*args, **more)
        for name in ("schema", "worker_id", "event"):
            setattr(record, name, "set by the program")
        return record

    logging.setLogRecordFactory(factory)
    yield
    logging.setLogRecordFactory(usual)


@pytest.mark.usefixtures("fields_on_records")
async def test_an_alert_whose_fields_the_logging_refuses_is_logged_and_the_watch_goes_on(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    watch = QueueWatch(interval=0.1)
    # A new schema, since the worker's own lines, and those of migrations, have such fields too.
    options = {"plugins": [watch], "schema": "tenant"}
    with caplog.at_level(logging.INFO):
        async with running(gw_database, tasks=[work], **options), sql(gw_database) as db:
            await db.execute(
                "select tenant.add_job('other', run_at => now() - interval '10 minutes')"
            )
            await until(lambda: logged(caplog, "1 jobs are ready, the first since"))
            await db.execute("delete from tenant._private_jobs")
            await until(lambda: logged(caplog, "over: old ready job"))
    assert await logged(caplog, "schema migrated")
    assert await logged(caplog, ": looking for jobs")


async def logged(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return any(text in record.getMessage() for record in caplog.records)


async def test_a_subscriber_that_raises_is_logged_and_the_watch_goes_on(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[Seen] = []
    watch = QueueWatch(interval=0.1)

    def broken(seen: Seen) -> None:
        raise LookupError(f"of {seen.schema}")

    watch.subscribe(broken)
    watch.subscribe(looks.append)
    async with running(gw_database, tasks=[work], plugins=[watch]):
        await until(lambda: at_least(looks, 3))
    failed = [record for record in caplog.records if "broken" in record.getMessage()]
    assert len(failed) >= 3
    assert failed[0].exc_info is not None
    assert str(failed[0].exc_info[1]) == "of graphile_worker"


async def has_queue(looks: list[Seen]) -> bool:
    return any(seen.queue is not None for seen in looks)


def test_what_is_well_is_no_problem() -> None:
    reading = QueueReading(
        ready=3, scheduled=0, locked=0, failed=9, oldest_ready=1.0, oldest_transaction=1.0
    )
    seen = Seen(schema="s", queue=reading, pool_wait=0.0)
    assert set(problems(seen, Thresholds()).values()) == {None}


def test_thresholds_and_intervals_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="oldest_ready must be more than 0"):
        Thresholds(oldest_ready=0)
    with pytest.raises(ConfigurationError, match="interval must be at least"):
        QueueWatch(interval=timedelta(milliseconds=1))
