"""Claims that are under way when a worker ends: only their answers say which jobs are ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from support.relay import Relay, socket_of, through
from support.running import sql, until

from graphile_worker import ConnectionLostError, Worker, WorkerOptions, task
from graphile_worker.recovery.sweeper import Sweeper
from graphile_worker.worker import ending, transaction_claimer
from graphile_worker.worker.membership import Membership

PAYLOAD = b"the job of the claim"


@task(payload=None)
async def work() -> None:
    raise AssertionError("the claim is answered too late for that")


@asynccontextmanager
async def claimed_unheard(url: str) -> AsyncIterator[tuple[Worker, Relay]]:
    """A worker whose next claim is carried out, and its answer withheld; its job is back after."""
    async with sql(url) as connection, Relay(socket_of(url)) as relay:
        await connection.execute(
            "select graphile_worker.add_job('work', to_json($1::text))", PAYLOAD.decode()
        )
        options = WorkerOptions(
            database_url=through(relay, url), tasks=[work], listen_os_shutdown_signals=False
        )
        async with options.init() as worker:
            relay.withhold_answers(from_one_with=PAYLOAD)
            yield worker, relay
        job = await connection.fetchrow("select * from graphile_worker._private_jobs")
        assert (job["attempts"], job["locked_by"]) == (0, None)


async def until_claimed(url: str) -> None:
    async with sql(url) as connection:

        async def claimed() -> bool:
            return await connection.fetchval(
                "select exists (select from graphile_worker._private_jobs where locked_by is not null)"
            )

        await until(claimed)


async def until_ending(worker: Worker) -> None:
    async def ending() -> bool:
        return worker.health().state != "running"

    await until(ending)


def answer(relay: Relay, how: str) -> None:
    relay.deliver_answers() if how == "late" else relay.answer_again()


@pytest.fixture(params=["run", "run_once"])
def call(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize(
    ("call", "part", "how"),
    [
        ("run", Sweeper, "late"),
        ("run", Sweeper, "lost"),
        ("run", Membership, "late"),
        ("run_once", Membership, "late"),
    ],
)
async def test_a_part_that_breaks_cuts_no_claim_off(
    gw_database: str, monkeypatch: pytest.MonkeyPatch, call: str, part: type, how: str
) -> None:
    now = asyncio.Event()

    async def breaks(_: object) -> None:
        await now.wait()
        raise OSError("it broke")

    monkeypatch.setattr(part, "run", breaks)
    async with claimed_unheard(gw_database) as (worker, relay):
        run = asyncio.create_task(getattr(worker, call)())
        await until_claimed(gw_database)
        now.set()
        await until_ending(worker)
        answer(relay, how)
        with pytest.raises(OSError, match="it broke"):
            await asyncio.wait_for(run, 15)


@pytest.mark.parametrize("how", ["late", "lost"])
async def test_neither_does_a_cancellation(gw_database: str, call: str, how: str) -> None:
    async with claimed_unheard(gw_database) as (worker, relay):
        run = asyncio.create_task(getattr(worker, call)())
        await until_claimed(gw_database)
        run.cancel()
        await until_ending(worker)
        answer(relay, how)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(run, 15)


@pytest.mark.parametrize("claim_mode", ["lock", "transaction"])
async def test_a_cancellation_does_not_wait_for_what_runs(
    gw_database: str,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    claim_mode: Literal["lock", "transaction"],
) -> None:
    monkeypatch.setattr(transaction_claimer, "OLDEST", 60.0)
    begun = asyncio.Event()

    @task(payload=None)
    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    options = WorkerOptions(
        database_url=gw_database,
        tasks=[endless],
        claim_mode=claim_mode,
        listen_os_shutdown_signals=False,
    )
    async with options.init() as worker:
        added = await worker.create_utils().add_job(endless)
        run = asyncio.create_task(getattr(worker, call)())
        await asyncio.wait_for(begun.wait(), 15)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(run, 15)
        job = await worker.create_utils().get_job(added.id)
    assert job is not None
    assert (job.attempts, job.locked_by) == (0, None)


async def test_a_claim_that_is_lost_during_the_shutdown_is_given_back(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with claimed_unheard(gw_database) as (worker, relay):
        run = asyncio.create_task(worker.run())
        await until_claimed(gw_database)
        worker.request_shutdown()
        relay.answer_again()
        await asyncio.wait_for(run, 15)
    assert "handed back jobs whose claim was lost" in caplog.text


async def test_so_is_one_that_is_not_answered_in_time(
    gw_database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ending, "_STORED_WITHIN", 0.1)
    async with claimed_unheard(gw_database) as (worker, relay):
        run = asyncio.create_task(worker.run())
        await until_claimed(gw_database)
        connections = relay.accepted
        worker.request_shutdown()

        async def given_up() -> bool:
            return relay.accepted > connections  # asyncpg cancels on another connection

        await until(given_up)
        relay.deliver_answers()
        await asyncio.wait_for(run, 15)
    assert "handed back jobs whose claim was lost" in caplog.text


async def test_run_once_gives_back_what_its_lost_claim_took(gw_database: str) -> None:
    async with claimed_unheard(gw_database) as (worker, relay):
        run = asyncio.create_task(worker.run_once())
        await until_claimed(gw_database)
        relay.answer_again()
        with pytest.raises(ConnectionLostError):
            await asyncio.wait_for(run, 15)
