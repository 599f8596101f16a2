"""Sweeps: whom they find, and what becomes of the jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from support.running import running, sql, until

from graphile_worker import (
    HookRegistry,
    JobInterrupted,
    JobRecovery,
    JobRecoveryResult,
    SweepResult,
    WorkerContext,
    WorkerRecoveryConfig,
    WorkerUtils,
    task,
)
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.hooks.reasons import FailureReason
from graphile_worker.hooks.registry import InterceptRecovery
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.task_ids import register_tasks
from graphile_worker.recovery.identity import new_worker_id
from graphile_worker.recovery.sweep import Sweep
from graphile_worker.recovery.sweep_events import SweepEvents
from graphile_worker.recovery.sweeping import sweep

SCHEMA = Schema("graphile_worker")
JOBS = "graphile_worker._private_jobs"
QUEUES = "graphile_worker._private_job_queues"
WORKERS = "graphile_worker._private_workers"
TEXT = "Job recovered after worker interruption"


class Stage:
    """A database in which workers have died."""

    def __init__(self, database: Database, connection: asyncpg.Connection) -> None:
        self.database = database
        self.connection = connection

    async def worker(self, worker_id: str, silent: float) -> str:
        await self.connection.execute(
            f"insert into {WORKERS} (id, last_heartbeat_at) values ($1, now() - $2::float8 * interval '1 second')",
            worker_id,
            silent,
        )
        return worker_id

    async def held_job(self, worker_id: str, *, for_seconds: float = 1000, **columns: Any) -> int:
        """A job that a worker claimed some time ago."""
        queue = columns.pop("queue", None)
        job_id = await self.connection.fetchval(
            "select id from graphile_worker.add_job('t', queue_name => $1, flags => $2)",
            queue,
            columns.pop("flags", None),
        )
        since = "now() - $2::float8 * interval '1 second'"
        await self.connection.execute(
            f"update {JOBS} set locked_by = $1, locked_at = {since}, updated_at = {since}, attempts = 1 where id = $3",
            worker_id,
            for_seconds,
            job_id,
        )
        await self.connection.execute(
            f"update {QUEUES} set locked_by = $1, locked_at = {since} where queue_name = $3",
            worker_id,
            for_seconds,
            queue,
        )
        for name, value in columns.items():
            await self.connection.execute(
                f"update {JOBS} set {name} = $1 where id = $2", value, job_id
            )
        return job_id

    async def job(self, job_id: int) -> asyncpg.Record:
        return await self.connection.fetchrow(f"select * from {JOBS} where id = $1", job_id)

    async def workers(self) -> list[str]:
        return [row["id"] for row in await self.connection.fetch(f"select id from {WORKERS}")]

    async def locked_queues(self) -> int:
        return await self.connection.fetchval(
            f"select count(*) from {QUEUES} where locked_at is not null or locked_by is not null"
        )

    async def sweep(
        self, *, hooks: HookRegistry | None = None, dry_run: bool = False, **config: Any
    ) -> SweepResult:
        how = Sweep(schema=SCHEMA, config=WorkerRecoveryConfig(**config))
        events = SweepEvents.registered(hooks)
        return await sweep(self.database, how, events, dry_run=dry_run)


@asynccontextmanager
async def open_stage(url: str) -> AsyncIterator[Stage]:
    database = await connect(url, max_connections=2)
    try:
        async with sql(url) as connection:
            yield Stage(database, connection)
    finally:
        await database.aclose()


@pytest.fixture
async def stage(gw_database: str) -> AsyncIterator[Stage]:
    async with open_stage(gw_database) as stage:
        yield stage


async def test_jobs_of_a_silent_worker_go_back_with_their_attempt(stage: Stage) -> None:
    await stage.worker("dead", 301)
    await stage.worker("alive", 299)
    lost = await stage.held_job("dead", queue="q", attempts=3)
    kept = await stage.held_job("alive", queue="r")
    result = await stage.sweep()
    assert result == SweepResult(worker_ids=["dead"], recovered_count=1)
    row = await stage.job(lost)
    assert (row["attempts"], row["locked_by"], row["locked_at"]) == (2, None, None)
    assert row["last_error"] == TEXT
    assert timedelta(seconds=25) < row["run_at"] - datetime.now(UTC) <= timedelta(seconds=30)
    assert row["updated_at"] > row["created_at"]
    assert (await stage.job(kept))["locked_by"] == "alive"
    assert await stage.workers() == ["alive"]
    assert await stage.locked_queues() == 1
    assert await stage.sweep() == SweepResult(worker_ids=[], recovered_count=0)


async def test_a_job_that_waits_longer_anyway_keeps_its_time(stage: Stage) -> None:
    await stage.worker("dead", 301)
    later = datetime.now(UTC) + timedelta(days=1)
    job = await stage.held_job("dead", run_at=later)
    await stage.sweep()
    assert (await stage.job(job))["run_at"] == later


async def test_a_dry_run_only_says_what_it_would_do(stage: Stage) -> None:
    await stage.worker("dead", 301)
    job = await stage.held_job("dead")
    assert await stage.sweep(dry_run=True) == SweepResult(
        worker_ids=["dead"], recovered_count=0, dry_run=True
    )
    assert (await stage.job(job))["locked_by"] == "dead"
    assert await stage.workers() == ["dead"]


async def test_the_threshold_and_the_delay_are_options(stage: Stage) -> None:
    await stage.worker("dead", 5)
    job = await stage.held_job("dead")
    await stage.sweep(sweep_threshold=3, recovery_delay=0)
    row = await stage.job(job)
    assert row["locked_by"] is None
    assert row["run_at"] <= datetime.now(UTC)


@pytest.mark.parametrize(("silent", "found"), [(400, []), (901, ["dead"])])
async def test_a_resilient_job_gives_its_worker_more_time(
    stage: Stage, silent: float, found: list[str]
) -> None:
    await stage.worker("dead", silent)
    await stage.held_job("dead", flags=["infrastructure_resilient"])
    await stage.held_job("dead")
    assert (await stage.sweep()).worker_ids == found


async def test_owners_that_never_registered_are_left_alone_unless_asked_for(stage: Stage) -> None:
    """Node.js workers never do, however long their jobs are."""
    old = await stage.held_job("pool-of-node", queue="q")
    young = await stage.held_job("another-pool", for_seconds=10)
    assert (await stage.sweep()).worker_ids == []
    result = await stage.sweep(recover_orphans=True)
    assert result == SweepResult(worker_ids=["pool-of-node"], recovered_count=1)
    assert (await stage.job(old))["locked_by"] is None
    assert (await stage.job(young))["locked_by"] == "another-pool"
    assert await stage.locked_queues() == 0


@pytest.mark.parametrize("hooked", [True, False])
async def test_of_an_owner_that_never_registered_only_old_locks_are_taken(
    stage: Stage, hooked: bool
) -> None:
    """What it has claimed just now says that it is alive, with a job that is long."""
    ages = {"old": 1000.0, "older": 2000.0, "young": 10.0, "newest": 0.0}
    jobs = {
        name: await stage.held_job("pool-of-node", for_seconds=age, queue=name)
        for name, age in ages.items()
    }
    asked: list[int] = []
    hooks = asking(lambda event: asked.append(event.job.id)) if hooked else None
    result = await stage.sweep(recover_orphans=True, hooks=hooks)
    assert result == SweepResult(worker_ids=["pool-of-node"], recovered_count=2)
    owners = {name: (await stage.job(job))["locked_by"] for name, job in jobs.items()}
    kept = "pool-of-node"
    assert owners == {"old": None, "older": None, "young": kept, "newest": kept}
    assert await stage.locked_queues() == 2
    assert asked == ([jobs["old"], jobs["older"]] if hooked else [])


async def test_a_sweep_by_hand_takes_orphans_too(stage: Stage) -> None:
    await stage.held_job("pool-of-node", for_seconds=20)
    utils = WorkerUtils(stage.database)
    assert (await utils.sweep_stale_workers(dry_run=True)).worker_ids == []
    result = await utils.sweep_stale_workers(sweep_threshold=10, recovery_delay=1)
    assert result == SweepResult(worker_ids=["pool-of-node"], recovered_count=1)


async def test_an_unregistered_id_of_ours_was_swept_before(stage: Stage) -> None:
    """It claimed something between its sweep and the moment it noticed, and died."""
    ours = new_worker_id()
    await stage.held_job(ours)
    assert (await stage.sweep()).worker_ids == [ours]


@pytest.mark.parametrize("orphans", [True, False])
async def test_a_paused_queue_stays_paused(stage: Stage, orphans: bool) -> None:
    await stage.held_job("somebody", queue="q", for_seconds=1)
    await stage.connection.execute(
        f"update {QUEUES} set locked_by = 'paused:alice', locked_at = now() - interval '1 hour'"
    )
    assert (await stage.sweep(recover_orphans=orphans)).worker_ids == []
    assert await stage.locked_queues() == 1


async def test_two_sweeps_at_once_recover_once(stage: Stage, gw_database: str) -> None:
    await stage.worker("dead", 301)
    for _ in range(20):
        await stage.held_job("dead")
    results = await asyncio.gather(*(stage.sweep() for _ in range(2)))
    assert sum(result.recovered_count for result in results) == 20
    assert await stage.connection.fetchval(f"select sum(attempts) from {JOBS}") == 0


async def test_the_lock_is_the_one_of_the_rust_workers(stage: Stage) -> None:
    await stage.worker("dead", 301)
    async with stage.connection.transaction():
        await stage.connection.execute(
            "select pg_advisory_xact_lock(x'47575253'::int, x'53574550'::int)"
        )
        assert (await stage.sweep()).worker_ids == []
    assert (await stage.sweep()).worker_ids == ["dead"]


async def test_a_row_that_is_locked_elsewhere_is_come_back_to(
    stage: Stage, gw_database: str
) -> None:
    """Nobody waits for it, and its worker is remembered, but taken for dead also by itself."""
    await stage.worker("dead", 301)
    blocked, free = [await stage.held_job("dead", queue=name) for name in ("q", "r")]
    async with sql(gw_database) as other:
        async with other.transaction():
            await other.execute(f"select from {JOBS} where id = {blocked} for update")
            assert (await asyncio.wait_for(stage.sweep(), 10)).recovered_count == 1
            assert (await stage.job(free))["locked_by"] is None
            assert await stage.locked_queues() == 1
            assert await stage.workers() == ["dead"]
        assert await stage.sweep() == SweepResult(worker_ids=["dead"], recovered_count=1)
    assert await stage.locked_queues() == 0
    assert await stage.workers() == []


async def test_a_half_swept_worker_that_wakes_up_notices(gw_database: str) -> None:
    @task(payload=None)
    async def work() -> None: ...

    async with (
        open_stage(gw_database) as stage,
        running(gw_database, tasks=[work], heartbeat_interval=0.02) as worker,
    ):
        old = worker.worker_id
        await until(lambda: is_only_worker(stage, old))
        await stage.connection.execute(f"update {WORKERS} set last_heartbeat_at = 'epoch'")

        async def renewed() -> bool:
            return worker.worker_id != old

        await until(renewed)
        await until(lambda: is_only_worker(stage, worker.worker_id))


async def is_only_worker(stage: Stage, worker_id: str) -> bool:
    return await stage.workers() == [worker_id]


async def test_a_job_that_was_superseded_does_not_run_once_more(stage: Stage) -> None:
    """A newer job took its key while it ran: the attempt it would get back is not its own."""
    await stage.worker("dead", 301)
    job_id = await stage.connection.fetchval(
        "select id from graphile_worker.add_job('t', job_key => 'k')"
    )
    await stage.connection.execute(
        f"update {JOBS} set locked_by = 'dead', locked_at = now() - interval '1 hour', attempts = 1"
    )
    await stage.connection.execute("select graphile_worker.add_job('t', job_key => 'k')")
    await stage.sweep()
    row = await stage.job(job_id)
    assert (row["locked_by"], row["attempts"], row["is_available"]) == (None, 25, False)


async def test_a_machine_whose_clock_is_late_does_not_lose_a_last_attempt(stage: Stage) -> None:
    """With use_local_time `locked_at` may be before the job was even added."""
    await stage.worker("dead", 301)
    job_id = await stage.connection.fetchval(
        "select id from graphile_worker.add_job("
        "'t', max_attempts => 1, run_at => now() - interval '5 s')"
    )
    [task_id] = await stage.database.run(register_tasks(SCHEMA, ["t"]))
    claim = claim_jobs(
        SCHEMA,
        worker_id="dead",
        task_ids=[task_id],
        forbidden_flags=None,
        now=datetime.now(UTC) - timedelta(seconds=2),
        limit=1,
        look=Look.HEADS,
    )
    assert [job.id for job in await stage.database.run(claim)] == [job_id]
    assert (await stage.sweep()).recovered_count == 1
    row = await stage.job(job_id)
    assert (row["attempts"], row["is_available"]) == (0, True)


async def test_the_last_attempt_is_given_back_too(stage: Stage) -> None:
    await stage.worker("dead", 301)
    job = await stage.held_job("dead", max_attempts=1)
    await stage.sweep()
    assert (await stage.job(job))["is_available"]


async def test_a_job_that_kills_its_workers_comes_to_an_end(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    job = await stage.held_job("dead", max_attempts=2)
    seen = []
    for _ in range(5):
        await stage.worker("dead", 301)
        await stage.connection.execute(
            f"update {JOBS} set locked_by = 'dead', locked_at = now(), "
            "attempts = attempts + 1 where attempts < max_attempts"
        ) if seen else None
        await stage.sweep(recovery_delay=0, max_refunds=3)
        row = await stage.job(job)
        seen.append((row["attempts"], row["last_error"]))
    assert seen == [
        (0, TEXT),
        (0, f"{TEXT} (2 times in a row)"),
        (0, f"{TEXT} (3 times in a row)"),
        (1, f"{TEXT} (4 times in a row)"),
        (2, f"{TEXT} (5 times in a row)"),
    ]
    assert not (await stage.job(job))["is_available"]
    told = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert told == [
        f"job {job} (t): {times} workers in a row died while it ran; the attempt counts "
        f"(attempt {attempt} of 2)"
        for times, attempt in ((4, 1), (5, 2))
    ]


async def test_another_outcome_in_between_starts_the_count_anew(stage: Stage) -> None:
    await stage.worker("dead", 301)
    job = await stage.held_job("dead", last_error="ValueError: no")
    await stage.sweep()
    assert (await stage.job(job))["last_error"] == TEXT


def asking(handler: InterceptRecovery) -> HookRegistry:
    hooks = HookRegistry()
    hooks.on(JobRecovery, handler)
    return hooks


async def test_a_hook_decides_about_each_job(stage: Stage) -> None:
    await stage.worker("dead", 301)
    jobs = [await stage.held_job("dead", attempts=2, queue=f"q{n}") for n in range(5)]
    when = datetime.now(UTC) + timedelta(hours=2)
    answers = dict(
        zip(
            jobs,
            [
                None,
                JobRecoveryResult.SKIP,
                JobRecoveryResult.FAIL_WITH_BACKOFF,
                JobRecoveryResult.reschedule(when),
                JobRecoveryResult.reschedule(when, attempts=0),
            ],
            strict=True,
        )
    )
    asked: list[tuple[int, str, FailureReason]] = []

    async def decide(event: JobRecovery) -> JobRecoveryResult | None:
        asked.append((event.job.id, event.previous_worker_id, event.reason))
        return answers[event.job.id]

    result = await stage.sweep(hooks=asking(decide))
    assert result == SweepResult(worker_ids=["dead"], recovered_count=4)
    assert asked == [(job, "dead", FailureReason.WORKER_CRASHED) for job in jobs]
    usual, skipped, failed, moved, reset = [await stage.job(job) for job in jobs]
    assert (usual["attempts"], usual["last_error"]) == (1, TEXT)
    assert (skipped["attempts"], skipped["locked_by"]) == (2, "dead")
    assert (failed["attempts"], failed["last_error"]) == (2, "WorkerCrashed")
    assert failed["run_at"] > datetime.now(UTC)
    assert (moved["attempts"], moved["run_at"], moved["locked_by"]) == (1, when, None)
    assert (reset["attempts"], reset["run_at"]) == (0, when)
    # The skipped one is offered again, and its queue stays locked with it.
    assert await stage.locked_queues() == 1
    assert await stage.workers() == ["dead"]
    await stage.sweep(hooks=asking(lambda _: JobRecoveryResult.DEFAULT))
    assert (await stage.job(jobs[1]))["locked_by"] is None
    assert await stage.workers() == []
    assert await stage.locked_queues() == 0


async def test_a_hook_that_raises_has_no_say(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.worker("dead", 301)
    job = await stage.held_job("dead")

    def decide(event: JobRecovery) -> JobRecoveryResult:
        raise ValueError(event.job.id)

    assert (await stage.sweep(hooks=asking(decide))).recovered_count == 1
    assert (await stage.job(job))["attempts"] == 0
    assert "decide failed at JobRecovery" in caplog.text


async def test_who_is_freed_is_told_after_the_commit(stage: Stage) -> None:
    await stage.worker("dead", 301)
    jobs = [await stage.held_job("dead") for _ in range(2)]
    told: list[int] = []
    hooks = asking(lambda event: JobRecoveryResult.SKIP if event.job.id == jobs[0] else None)
    hooks.on(JobInterrupted, lambda event: told.append(event.job.id))
    await stage.sweep(hooks=hooks)
    assert told == [jobs[1]]


async def test_a_worker_sweeps_by_itself_and_runs_what_it_found(gw_database: str) -> None:
    done: asyncio.Queue[int] = asyncio.Queue()

    @task("t", payload=None)
    async def work(ctx: WorkerContext) -> None:
        done.put_nowait(ctx.job.attempts)

    async with open_stage(gw_database) as stage:
        await stage.worker("dead", 301)
        await stage.held_job("dead")
        options = {"poll_interval": 0.02, "recovery_delay": 0, "sweep_threshold": 5}
        async with running(gw_database, tasks=[work], **options):
            assert await asyncio.wait_for(done.get(), 15) == 1


async def test_a_worker_told_not_to_sweep_does_not(gw_database: str) -> None:
    @task("t", payload=None)
    async def work() -> None: ...

    async with open_stage(gw_database) as stage:
        await stage.worker("dead", 301)
        job = await stage.held_job("dead")
        recovery = WorkerRecoveryConfig(enabled=False, sweep_interval=0.01, heartbeat_interval=0.01)
        async with running(gw_database, tasks=[work], recovery=recovery) as worker:

            async def beat_twice() -> bool:
                return await stage.connection.fetchval(
                    f"select exists (select from {WORKERS} where id = $1 "
                    "and last_heartbeat_at > started_at + interval '100 ms')",
                    worker.worker_id,
                )

            await until(beat_twice)
        assert (await stage.job(job))["locked_by"] == "dead"


async def test_locks_older_than_four_hours_are_freed_but_not_those_of_the_living(
    stage: Stage,
) -> None:
    """As Node.js workers do it, made safe."""
    from graphile_worker.queries.workers import reset_old_locks

    old = 4 * 3600 + 60
    await stage.worker("alive", 10)
    nodes = await stage.held_job("pool-of-node", for_seconds=old, queue="q")
    mine = await stage.held_job("alive", for_seconds=old, queue="r")
    young = await stage.held_job("pool-of-node", for_seconds=3600)
    await stage.connection.execute(
        f"insert into {QUEUES} (queue_name, locked_by, locked_at) "
        "values ('p', 'paused:alice', now() - interval '5 hours')"
    )
    freed = await stage.database.run(reset_old_locks(SCHEMA, threshold=300))
    assert freed == [nodes]
    row = await stage.job(nodes)
    assert (row["attempts"], row["locked_by"], row["last_error"]) == (1, None, None)
    assert (await stage.job(mine))["locked_by"] == "alive"
    assert (await stage.job(young))["locked_by"] == "pool-of-node"
    locked = await stage.connection.fetch(
        f"select queue_name from {QUEUES} where locked_at is not null"
    )
    assert {row["queue_name"] for row in locked} == {"r", "p"}


async def test_a_worker_resets_old_locks_now_and_then(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphile_worker.recovery import sweeper

    @task("other", payload=None)
    async def work() -> None: ...

    monkeypatch.setattr(sweeper, "_FIRST_RESET", 0.0)
    async with open_stage(gw_database) as stage:
        job = await stage.held_job("pool-of-node", for_seconds=5 * 3600)
        async with running(gw_database, tasks=[work], sweep_threshold=5):

            async def freed() -> bool:
                return (await stage.job(job))["locked_by"] is None

            await until(freed)


async def test_both_clients_sweep_by_hand(stage: Stage, gw_database: str) -> None:
    from graphile_worker import SyncWorkerUtils, WorkerUtils

    def without_a_loop(*, dry_run: bool) -> SweepResult:
        with SyncWorkerUtils.connect(gw_database) as utils:
            return utils.sweep_stale_workers(10, 0, dry_run)

    await stage.worker("one", 11)
    await stage.worker("two", 9)
    job = await stage.held_job("one")
    dry = SweepResult(worker_ids=["one"], recovered_count=0, dry_run=True)
    async with WorkerUtils.connect(gw_database) as utils:
        assert await utils.sweep_stale_workers(10, 0, True) == dry
        assert await asyncio.to_thread(without_a_loop, dry_run=True) == dry
        swept = await asyncio.to_thread(without_a_loop, dry_run=False)
        assert swept == SweepResult(worker_ids=["one"], recovered_count=1)
        assert (await stage.job(job))["locked_by"] is None
        await stage.held_job("two")
        assert (await utils.sweep_stale_workers(8)).recovered_count == 1
