"""Connections that break in the middle of a conversation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from support.relay import Relay
from support.running import running, sql, until

from graphile_worker import WorkerContext, task


def through(relay: Relay, url: str) -> str:
    """The URL of the same database through the relay."""
    return f"postgresql://postgres@127.0.0.1:{relay.port}/{urlsplit(url).path[1:]}"


def socket_of(url: str) -> Path:
    query = parse_qs(urlsplit(url).query)
    return Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")


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
