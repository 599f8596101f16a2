"""Connections that break in the middle of a conversation."""

from __future__ import annotations

import asyncio

import pytest
from support.relay import Relay, socket_of, through
from support.running import running, sql, until

from graphile_worker import ConnectionLostError, WorkerContext, WorkerOptions, task
from graphile_worker.client.open_database import open_database
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement, nothing
from graphile_worker.hooks.dispatch import frozen
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.queries.cron import now
from graphile_worker.worker.crons import cron_scheduler
from graphile_worker.worker.service_database import ServiceDatabase


async def test_a_claim_whose_answer_is_lost_is_given_back(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Carried out, and its answer withheld until the link breaks: nobody else would repair it."""
    done: asyncio.Queue[int] = asyncio.Queue()

    @task(payload=None)
    async def count(ctx: WorkerContext) -> None:
        done.put_nowait(ctx.job.attempts)

    async with (
        Relay(socket_of(gw_database)) as relay,
        sql(gw_database) as connection,
        running(through(relay, gw_database), tasks=[count], poll_interval=0.02),
    ):
        await connection.execute("select graphile_worker.add_job('count')")
        assert await asyncio.wait_for(done.get(), 15) == 1

        async def empty() -> bool:
            return not await connection.fetchval(
                "select count(*) from graphile_worker._private_jobs"
            )

        await until(empty)
        # Only the claim that takes the job: an empty one that was under way would hold it up.
        relay.withhold_answers(from_one_with=b"the job of the lost claim")
        await connection.execute(
            "select graphile_worker.add_job('count', '\"the job of the lost claim\"', 'q')"
        )

        async def claimed() -> bool:
            return await connection.fetchval(
                "select exists (select from graphile_worker._private_jobs where locked_by is not null)"
            )

        await until(claimed)
        assert done.empty()
        relay.answer_again()
        assert await asyncio.wait_for(done.get(), 15) == 1
    assert "handed back jobs whose claim was lost" in caplog.text


async def test_recurring_jobs_survive_a_server_that_does_not_answer(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was carried out meanwhile, unheard, is not done again."""
    options = WorkerOptions(crons="* * * * * work ?fill=1h")
    async with Relay(socket_of(gw_database)) as relay, sql(gw_database) as connection:
        await connection.execute(
            "insert into graphile_worker._private_known_crontabs"
            " values ('work', now() - interval '10 minutes', null)"
        )
        database = await open_database(through(relay, gw_database), max_connections=1)
        # The row of one column in which the first minute's statement tells what it added.
        relay.withhold_answers(from_one_with=b"\x00\x01\x00\x00\x00\x04work")
        scheduler = cron_scheduler(
            options,
            Schema("graphile_worker"),
            database,
            ["work"],
            frozen(HookRegistry(), 1),
            answer_within=0.2,
        )
        running = asyncio.create_task(scheduler.run())

        async def complained() -> bool:
            return "did not answer within 0.2 s" in caplog.text

        await until(complained)
        assert not running.done()
        relay.answer_again()

        async def caught_up() -> bool:
            return await connection.fetchval(
                "select count(*) >= 10 and count(*) = count(distinct run_at)"
                " from graphile_worker._private_jobs"
            )

        await until(caught_up)
        running.cancel()
        await asyncio.wait([running])
        await database.aclose()


async def test_a_service_that_is_not_answered_gives_its_connection_to_the_next(
    gw_database: str,
) -> None:
    """Sweeps, recurring jobs and pauses take turns: one that waits for ever would stop them all."""
    asked = Statement("asked", "select 'never heard'", (), nothing)
    async with Relay(socket_of(gw_database)) as relay:
        database = await open_database(through(relay, gw_database), max_connections=1)
        services = ServiceDatabase(database, answer_within=0.2)
        relay.withhold_answers(from_one_with=b"never heard")

        async def sweep() -> None:
            async with services.connection() as connection, connection.transaction():
                await connection.run(asked)

        with pytest.raises(ConnectionLostError):
            await asyncio.wait_for(sweep(), 15)
        with pytest.raises(ConnectionLostError):
            await asyncio.wait_for(services.run(asked), 15)
        relay.answer_again()
        assert (await asyncio.wait_for(services.run(now()), 15)).tzinfo is not None
        await database.aclose()
