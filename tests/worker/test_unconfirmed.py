"""Completions whose commits did not wait for the disk."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from chaos.server import Server
from support.recorder import Recorder
from support.releasing import SCHEMA, claimed, releasing
from support.running import running, sql, until

from graphile_worker import JobComplete, WorkerContext, WorkerUtils, task
from graphile_worker.client.open_database import open_database
from graphile_worker.database.executor import Database
from graphile_worker.database.statement import Statement
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import COMPLETED, Outcome
from graphile_worker.queries.release_jobs import may_bring_to_disk
from graphile_worker.worker import unconfirmed as module
from graphile_worker.worker.steady_connection import SteadyConnection
from graphile_worker.worker.unconfirmed import Unconfirmed

COUNT = "select count(*) from graphile_worker._private_jobs"
FORGETFUL = {"fsync": "off", "wal_writer_delay": "10s", "log_min_messages": "fatal"}
"""What no commit brings to the disk stays away from it, until the server is gone."""

REVOKE = (
    "do $$ declare f regprocedure; begin"
    " for f in select oid from pg_proc where proname = 'pg_logical_emit_message' loop"
    " execute format('revoke execute on function %s from public', f);"
    " end loop; end $$"
)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(FORGETFUL) as server:
        yield server


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    database = await open_database(server.url)
    await WorkerUtils(database).migrate()
    yield database
    await database.aclose()


def left(url: str, count: int) -> Callable[[], Any]:
    async def so_many() -> bool:
        async with sql(url) as connection:
            return bool(await connection.fetchval(COUNT) == count)

    return so_many


async def test_what_a_crash_undid_is_stored_again(server: Server, database: Database) -> None:
    stored: list[ClaimedJob] = []
    claims = SteadyConnection(database, "claim")
    await claims.open()
    jobs = await claimed(database, WorkerUtils(database), 3)
    async with releasing(database, claims=claims, on_completed=stored.extend) as releaser:
        releaser.unconfirmed.is_followed = True
        releaser.unconfirmed.claim_sent()  # for as long as it is under way nobody else is asked
        for job in jobs:
            releaser.put(job, COMPLETED)
        await until(left(server.url, 0))
        assert not stored
        assert {job.id for job in releaser.unreleased} == {job.id for job in jobs}

        await server.restart(signal.SIGQUIT)
        assert await left(server.url, 3)(), "nothing is undone, and this test proves nothing"

        releaser.unconfirmed.claim_ended(None, is_full=False)
        await asyncio.wait_for(releaser.wait_empty(), 15)
    assert stored == []
    assert await left(server.url, 0)()


async def test_who_waits_hears_of_what_a_claim_has_stored_before(
    server: Server, database: Database
) -> None:
    del server
    stored: list[ClaimedJob] = []
    [job] = await claimed(database, WorkerUtils(database), 1)
    async with releasing(database, on_completed=stored.extend) as releaser:
        releaser.unconfirmed.is_followed = True
        releaser.unconfirmed.claim_sent()
        releaser.put(job, COMPLETED)

        async def is_unconfirmed() -> bool:
            return bool(releaser.unconfirmed)

        await until(is_unconfirmed)
        releaser.unconfirmed.claim_ended(releaser.unconfirmed.mark, is_full=True)
        assert stored == [job]
        await asyncio.wait_for(releaser.wait_empty(), 5)


async def test_without_a_claim_that_follows_something_else_waits_for_the_disk(
    server: Server, database: Database
) -> None:
    stored: list[ClaimedJob] = []
    jobs = await claimed(database, WorkerUtils(database), 3)
    async with releasing(database, on_completed=stored.extend) as releaser:
        releaser.unconfirmed.is_followed = True
        for job in jobs:
            releaser.put(job, COMPLETED)
        await asyncio.wait_for(releaser.wait_empty(), 15)
    assert stored == jobs
    await server.restart(signal.SIGQUIT)
    assert await left(server.url, 0)()


async def test_no_job_is_lost_nor_runs_twice_where_a_server_crashes_under_its_worker(
    server: Server, database: Database
) -> None:
    runs: Counter[int] = Counter()
    due = asyncio.Event()

    @task
    async def count(payload: dict[str, int], ctx: WorkerContext) -> None:
        del payload
        runs[ctx.job.id] += 1
        if len(runs) % 500 == 0:
            due.set()

    ids = await WorkerUtils(database).add_jobs(count.job({}) for _ in range(2000))
    recorder = Recorder([JobComplete])
    async with running(server.url, tasks=[count], plugins=[recorder], concurrency=2):
        for _ in range(3):
            async with asyncio.timeout(30):
                await due.wait()
            await server.restart(signal.SIGQUIT)
            due.clear()
        await until(left(server.url, 0), seconds=30)
    assert runs == {job.id: 1 for job in ids}
    told = Counter(event.job.id for event in recorder.of(JobComplete))
    assert told == runs


@pytest.mark.parametrize("concurrency", [1, 2, 24])
async def test_no_claim_waits_for_what_only_a_claim_brings_to_the_disk(
    server: Server, database: Database, monkeypatch: pytest.MonkeyPatch, concurrency: int
) -> None:
    """There is room for the next as soon as outcomes are released, not when they are proven."""
    sent: Counter[str] = Counter()
    run = SteadyConnection.run

    async def counted(self: SteadyConnection, statement: Statement[Any]) -> Any:
        sent[statement.name] += 1
        return await run(self, statement)

    @task(payload=None)
    async def nothing() -> None: ...

    await WorkerUtils(database).add_jobs(nothing, [None] * 200 * concurrency)
    monkeypatch.setattr(SteadyConnection, "run", counted)
    async with running(server.url, tasks=[nothing], concurrency=concurrency):
        await until(left(server.url, 0))
    assert sent["release_unqueued"] > 100
    assert sent["bring_to_disk"] < 20


async def test_what_a_crash_undid_and_a_sweep_gave_to_others_is_lost(
    server: Server, database: Database
) -> None:
    told: list[tuple[int, bool]] = []

    def on_released(job: ClaimedJob, _outcome: Outcome, *, lost: bool) -> None:
        told.append((job.id, lost))

    claims = SteadyConnection(database, "claim")
    await claims.open()
    [job] = await claimed(database, WorkerUtils(database), 1)
    async with releasing(database, claims=claims, on_released=on_released) as releaser:
        releaser.unconfirmed.is_followed = True
        releaser.unconfirmed.claim_sent()
        releaser.put(job, COMPLETED)
        await until(left(server.url, 0))
        await server.restart(signal.SIGQUIT)
        async with sql(server.url) as connection:
            await connection.execute(
                "update graphile_worker._private_jobs set locked_by = null, locked_at = null"
            )
        releaser.unconfirmed.claim_ended(None, is_full=False)
        await asyncio.wait_for(releaser.wait_empty(), 15)
    assert told == [(job.id, True)]
    assert await left(server.url, 1)()


@pytest.mark.parametrize("is_followed", [False, True])
async def test_a_job_that_is_lost_beside_a_row_that_is_locked_is_told_so(
    database: Database, server: Server, *, is_followed: bool
) -> None:
    told: list[tuple[int, bool]] = []

    def on_released(job: ClaimedJob, _outcome: Outcome, *, lost: bool) -> None:
        told.append((job.id, lost))

    def on_completed(jobs: list[ClaimedJob]) -> None:
        told.extend((job.id, False) for job in jobs)

    locked, lost = await claimed(database, WorkerUtils(database), 2)
    async with sql(server.url) as connection:
        await connection.execute(
            "update graphile_worker._private_jobs set locked_by = null, locked_at = null"
            " where id = $1",
            lost.id,
        )
        async with (
            releasing(database, on_released=on_released, on_completed=on_completed) as releaser,
            connection.transaction(),
        ):
            await connection.execute(
                "select from graphile_worker._private_jobs where id = $1 for update", locked.id
            )
            releaser.unconfirmed.is_followed = is_followed
            releaser.put(locked, COMPLETED)
            releaser.put(lost, COMPLETED)

            async def is_told() -> bool:
                return bool(told)

            await until(is_told)
    assert told == [(lost.id, True), (locked.id, False)]


async def test_a_right_that_is_taken_away_holds_nothing_up(
    server: Server, database: Database
) -> None:
    stored: list[ClaimedJob] = []
    jobs = await claimed(database, WorkerUtils(database), 2)
    async with sql(server.url) as connection:
        await connection.execute("create role plain login superuser bypassrls")
        plain = await open_database(server.url.replace("postgres@", "plain@"))
        async with releasing(plain, on_completed=stored.extend) as releaser:
            for job in jobs:
                releaser.unconfirmed.is_followed = True
                releaser.put(job, COMPLETED)
                await asyncio.wait_for(releaser.wait_empty(), 15)
                await connection.execute(
                    "alter role plain nosuperuser;"
                    "grant all on schema graphile_worker to plain;"
                    "grant all on all tables in schema graphile_worker to plain;" + REVOKE
                )
        await plain.aclose()
    assert await left(server.url, 0)()


async def test_a_role_whose_commits_do_not_wait_leaves_nothing_to_claims(
    server: Server, database: Database
) -> None:
    async with sql(server.url) as connection:
        await connection.execute(
            "create role hasty login; alter role hasty set synchronous_commit = off"
        )
    hasty = await open_database(server.url.replace("postgres@", "hasty@"))
    assert not await hasty.run(may_bring_to_disk(SCHEMA))
    await hasty.aclose()


async def test_a_role_that_may_write_no_messages_waits_for_the_disk(
    server: Server, database: Database
) -> None:
    assert await database.run(may_bring_to_disk(SCHEMA))
    async with sql(server.url) as connection:
        await connection.execute("create role plain login;" + REVOKE)
    plain = await open_database(server.url.replace("postgres@", "plain@"))
    assert not await plain.run(may_bring_to_disk(SCHEMA))
    await plain.aclose()


class Told:
    """What an `Unconfirmed` says."""

    def __init__(self, claims: SteadyConnection, releases: SteadyConnection) -> None:
        self.confirmed: list[ClaimedJob] = []
        self.doubted: list[ClaimedJob] = []
        self.overdue = asyncio.Event()
        self.of = Unconfirmed(
            claims,
            releases,
            on_confirmed=self.confirmed.extend,
            on_doubted=self.doubted.extend,
            on_overdue=self.overdue.set,
        )


@pytest.fixture
async def sessions(database: Database) -> AsyncIterator[list[SteadyConnection]]:
    sessions = [SteadyConnection(database, name) for name in ("claim", "release")]
    for session in sessions:
        await session.open()
    yield sessions
    for session in sessions:
        await session.aclose()


async def test_a_claim_proves_what_was_answered_before_it_was_sent(
    database: Database, sessions: list[SteadyConnection]
) -> None:
    first, second = await claimed(database, WorkerUtils(database), 2)
    told = Told(*sessions)
    told.of.add([first], told.of.epoch)
    mark = told.of.claim_sent()
    told.of.add([second], told.of.epoch)
    told.of.claim_ended(mark, is_full=True)
    assert (told.confirmed, told.doubted, told.of.jobs) == ([first], [], [second])
    told.of.claim_ended(told.of.claim_sent(), is_full=True)
    assert (told.confirmed, told.doubted, told.of.jobs) == ([first, second], [], [])


@pytest.mark.parametrize("lost", [0, 1])
async def test_in_another_session_a_claim_proves_nothing_of_what_was_before(
    database: Database, sessions: list[SteadyConnection], lost: int
) -> None:
    [job] = await claimed(database, WorkerUtils(database), 1)
    told = Told(*sessions)
    told.of.add([job], told.of.epoch)
    await sessions[lost].aclose()
    await sessions[lost].open()
    told.of.claim_ended(told.of.claim_sent(), is_full=True)
    assert (told.confirmed, told.doubted) == ([], [job])


async def test_a_claim_that_is_under_way_is_waited_for_by_what_it_does_not_prove(
    database: Database, sessions: list[SteadyConnection]
) -> None:
    [job] = await claimed(database, WorkerUtils(database), 1)
    told = Told(*sessions)
    told.of.claim_sent()
    told.of.add([job], told.of.epoch)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(told.overdue.wait(), 0.03)
    told.of.claim_ended(None, is_full=False)
    await asyncio.wait_for(told.overdue.wait(), 15)
    told.of.stop()


async def test_claims_follow_each_other_where_two_that_were_full_are_close(
    sessions: list[SteadyConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    told = Told(*sessions)

    def claim(pause: float, *, is_full: bool = True) -> bool:
        """After a pause; it takes a second."""
        nonlocal now
        now += pause
        mark = told.of.claim_sent()
        now += 1
        told.of.claim_ended(mark, is_full=is_full)
        return told.of.is_followed

    assert not claim(0)
    assert claim(0.001)
    assert not claim(0.01)
    assert claim(0.001)
    assert not claim(0.001, is_full=False)


async def test_a_claim_that_hangs_is_waited_for_no_longer(
    database: Database, sessions: list[SteadyConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    [job] = await claimed(database, WorkerUtils(database), 1)
    told = Told(*sessions)
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    told.of.claim_sent()
    told.of.add([job], told.of.epoch)
    now += 0.251
    await asyncio.wait_for(told.overdue.wait(), 15)
    assert not told.of.is_followed
    told.of.stop()
