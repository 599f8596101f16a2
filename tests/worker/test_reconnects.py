"""Outages: the worker notices, and is back in time."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from support.relay import Relay
from support.running import running, sql, until

from graphile_worker import (
    IncompatibleSchemaError,
    SchemaMissingError,
    WorkerContext,
    WorkerOptions,
    task,
)
from graphile_worker.worker import notifications

NEVER_POLLS = timedelta(hours=1)


def through(relay: Relay, url: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{relay.port}/{urlsplit(url).path[1:]}"


def socket_of(url: str) -> Path:
    query = parse_qs(urlsplit(url).query)
    return Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")


def counting() -> tuple[object, asyncio.Queue[int]]:
    done: asyncio.Queue[int] = asyncio.Queue()

    @task("count", payload=None)
    async def count(ctx: WorkerContext) -> None:
        done.put_nowait(ctx.job.id)

    return count, done


async def get(done: asyncio.Queue[int], seconds: float = 20) -> int:
    return await asyncio.wait_for(done.get(), seconds)


async def test_a_link_that_died_without_a_word_is_noticed_by_a_probe(
    gw_database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No poll comes to its help here: only LISTEN, over a link that swallows everything."""
    monkeypatch.setitem(notifications.Listener.__init__.__kwdefaults__, "probe_every", 0.1)
    monkeypatch.setitem(notifications.Listener.__init__.__kwdefaults__, "probe_within", 0.5)
    count, done = counting()
    async with (
        Relay(socket_of(gw_database)) as relay,
        sql(gw_database) as connection,
        running(
            gw_database,
            tasks=[count],
            direct_database_url=through(relay, gw_database),
            poll_interval=NEVER_POLLS,
        ) as worker,
    ):

        async def listens() -> bool:
            return worker.health().listening

        await until(listens)
        await connection.execute("select graphile_worker.add_job('count')")
        await get(done)
        relay.freeze()

        async def noticed() -> bool:
            return "LISTEN" in caplog.text

        await until(noticed)
        relay.thaw()
        await connection.execute("select graphile_worker.add_job('count')")
        await get(done)
        await connection.execute("select graphile_worker.add_job('count')")
        await get(done)


async def test_probes_have_a_channel_of_their_own(gw_database: str) -> None:
    """What wakes one worker's LISTEN must not wake every worker."""
    count, _ = counting()
    heard: list[str] = []
    async with sql(gw_database) as connection:
        await connection.add_listener("jobs:insert", lambda *told: heard.append(str(told)))
        async with running(gw_database, tasks=[count]) as worker:
            channel = "graphile_worker:probe:" + worker.worker_id
            assert len(channel.encode()) < 64
            probed = asyncio.Event()
            await connection.add_listener(channel, lambda *_told: probed.set())

            async def listens() -> bool:
                return await connection.fetchval(
                    "select exists (select from pg_stat_activity where application_name like "
                    "'%listen' and datname = current_database() and query like '%pg_notify%')"
                )

            await until(listens)
    assert heard == []


@pytest.mark.parametrize("how", ["reset", "black hole"])
async def test_after_an_outage_the_worker_claims_again_within_its_bound(
    gw_database: str, how: str
) -> None:
    """Two poll intervals and the cap of the backoff, 5 s, after the link is back."""
    count, done = counting()
    poll = 0.2
    async with (
        Relay(socket_of(gw_database)) as relay,
        sql(gw_database) as connection,
        running(through(relay, gw_database), tasks=[count], poll_interval=poll),
    ):
        await connection.execute("select graphile_worker.add_job('count')")
        await get(done)
        relay.freeze()
        if how == "reset":
            relay.hang_up()
        await asyncio.sleep(1.0)  # the outage
        await connection.execute("select graphile_worker.add_job('count')")
        relay.thaw()
        back = time.monotonic()
        await get(done)
        assert time.monotonic() - back < 2 * poll + 5


async def test_a_breaking_migration_by_another_program_ends_the_worker_in_order(
    gw_database: str,
) -> None:
    started, done = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def slow(ctx: WorkerContext) -> None:
        started.set()
        await ctx.shutting_down.wait()
        done.set()

    options = WorkerOptions(
        database_url=gw_database, tasks=[slow], listen_os_shutdown_signals=False
    )
    async with options.init() as worker, sql(gw_database) as connection:
        await worker.create_utils().add_job(slow)
        run = asyncio.create_task(worker.run())
        await asyncio.wait_for(started.wait(), 15)

        async def listens() -> bool:
            return await connection.fetchval(
                "select exists (select from pg_stat_activity where application_name like "
                "'%listen' and datname = current_database() and query like '%pg_notify%')"
            )

        await until(listens)
        async with connection.transaction():
            await connection.execute(
                "insert into graphile_worker.migrations (id, breaking) values (21, true)"
            )
            await connection.execute(
                """select pg_notify('worker:migrate', '{"migrationNumber":21,"breaking":true}')"""
            )
        with pytest.raises(IncompatibleSchemaError, match="breaking revision 21"):
            await asyncio.wait_for(run, 20)
        assert done.is_set()
        assert await connection.fetchval("select count(*) from graphile_worker._private_jobs") == 0


async def test_migrations_elsewhere_are_none_of_its_business(gw_database: str) -> None:
    """The channel is shared by all schemas of a database."""
    count, done = counting()
    async with sql(gw_database) as connection, running(gw_database, tasks=[count]):
        for payload in ('{"migrationNumber":21,"breaking":true}', "", "{", "[]"):
            await connection.execute("select pg_notify('worker:migrate', $1)", payload)
        await connection.execute("select graphile_worker.add_job('count')")
        await get(done)


async def test_a_schema_that_is_gone_ends_the_worker(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphile_worker.worker import schema_guard

    monkeypatch.setattr(schema_guard, "_LOOK_EVERY", 0.05)
    count, _ = counting()
    options = WorkerOptions(
        database_url=gw_database,
        tasks=[count],
        use_notification_delivery=False,
        listen_os_shutdown_signals=False,
    )
    async with options.init() as worker, sql(gw_database) as connection:
        run = asyncio.create_task(worker.run())

        async def registered() -> bool:
            return await connection.fetchval(
                "select exists (select from graphile_worker._private_workers)"
            )

        await until(registered)
        await connection.execute("alter schema graphile_worker rename to gone")
        with pytest.raises(SchemaMissingError):
            await asyncio.wait_for(run, 20)
