"""Paused queues, tasks, cron entries, and everything: workers at work."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.running import running, sql, until

from graphile_worker import (
    JobSpec,
    LocalQueueConfig,
    RawJobSpec,
    Worker,
    WorkerOptions,
    WorkerUtils,
    task,
)
from graphile_worker.client.operations.pausing import ResumedQueue

FAR = 600.0
"""Seconds of a poll interval that never comes: what happens in time was told."""


class Runs:
    """Counts runs, and holds those that it is told to hold."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()
        self.began = asyncio.Event()
        self.go = asyncio.Event()

    @property
    def tasks(self) -> list[Any]:
        @task(payload=None)
        async def quick() -> None:
            self.of["quick"] += 1

        @task(payload=None)
        async def other() -> None:
            self.of["other"] += 1

        @task(payload=None)
        async def slow() -> None:
            self.of["slow"] += 1
            self.began.set()
            await self.go.wait()

        return [quick, other, slow]

    def are(self, **wanted: int) -> Callable[[], Awaitable[bool]]:
        async def holds() -> bool:
            return self.of == Counter(wanted)

        return holds


@pytest.fixture
def runs() -> Runs:
    return Runs()


def in_queue(name: str) -> JobSpec:
    return JobSpec(queue_name=name)


async def locks(url: str) -> list[tuple[str, str | None]]:
    async with sql(url) as db:
        rows = await db.fetch(
            "select queue_name, locked_by from graphile_worker._private_job_queues order by 1"
        )
    return [(row[0], row[1]) for row in rows]


# -- queues --------------------------------------------------------------------------------------


async def test_jobs_of_a_paused_queue_wait_and_run_at_once_when_it_is_resumed(
    gw_database: str, runs: Runs
) -> None:
    async with running(gw_database, tasks=runs.tasks, poll_interval=FAR) as worker:
        utils = worker.create_utils()
        paused = await utils.pause_queue("mail", by="ada")
        assert (paused.paused_by, paused.is_resuming, paused.running) == ("ada", False, [])
        held = await utils.add_raw_job("quick", None, in_queue("mail"))
        await utils.add_raw_job("other")
        await utils.add_raw_job("other", None, in_queue("free"))
        await until(runs.are(other=2))

        waits = await utils.get_job(held.id)
        assert waits is not None
        assert (waits.locked_by, waits.attempts, waits.state.value) == (None, 0, "ready")
        assert [job.id for job in await utils.list_jobs("blocked")] == [held.id]
        assert [queue.queue_name for queue in (await utils.paused()).queues] == ["mail"]

        resumed = await utils.resume_queue("mail")
        assert resumed == ResumedQueue(queue_name="mail", was_paused=True, waits_for=[])
        await until(runs.are(other=2, quick=1))
        assert (await utils.paused()).queues == []
        assert not (await utils.resume_queue("mail")).was_paused


async def test_a_queue_is_resumed_when_the_job_that_was_running_has_ended(
    gw_database: str, runs: Runs
) -> None:
    async with running(gw_database, tasks=runs.tasks, poll_interval=FAR) as worker:
        utils = worker.create_utils()
        first = await utils.add_raw_job("slow", None, in_queue("mail"))
        await runs.began.wait()
        assert (await utils.pause_queue("mail", by="ada")).running == [first.id]
        await utils.add_raw_job("quick", None, in_queue("mail"))
        resumed = await utils.resume_queue("mail", by="bob")
        assert (resumed.was_paused, resumed.waits_for) == (True, [first.id])
        assert await locks(gw_database) == [("mail", "resuming:bob")]
        assert await utils.finish_resuming() == []

        runs.go.set()
        await until(runs.are(slow=1, quick=1))
        assert (await utils.paused()).queues == []


async def test_the_end_of_its_job_does_not_free_a_paused_queue(
    gw_database: str, runs: Runs
) -> None:
    async with running(gw_database, tasks=runs.tasks, poll_interval=0.05) as worker:
        utils = worker.create_utils()
        await utils.add_raw_job("slow", None, in_queue("mail"))
        await runs.began.wait()
        await utils.pause_queue("mail")
        await utils.add_raw_job("quick", None, in_queue("mail"))
        runs.go.set()
        await until(lambda: nothing_runs(worker))
        await utils.add_raw_job("other")
        await until(runs.are(slow=1, other=1))
        assert await locks(gw_database) == [("mail", "paused:")]


async def nothing_runs(worker: Worker) -> bool:
    return not (await worker.create_utils().stats()).locked


async def test_sweeps_resets_cleanups_and_unlocking_leave_a_paused_queue(
    gw_database: str, runs: Runs
) -> None:
    options = {"sweep_interval": 0.05, "sweep_threshold": 0.3, "heartbeat_interval": 0.05}
    async with running(gw_database, tasks=runs.tasks, **options) as worker, sql(gw_database) as db:
        utils = worker.create_utils()
        await utils.pause_queue("mail", by="ada")
        await utils.pause_queue("post", by="ada")
        await db.execute(
            "update graphile_worker._private_job_queues set locked_by = 'resuming:ada' "
            "where queue_name = 'post'; "
            "select graphile_worker.add_job('slow', queue_name := 'post'); "
            "update graphile_worker._private_jobs set locked_by = 'someone', locked_at = now()"
        )
        await utils.cleanup()
        assert (await utils.sweep_stale_workers(sweep_threshold=0.3)).worker_ids == []
        # What Node.js does every ten minutes.
        await db.execute(
            "update graphile_worker._private_job_queues set locked_by = null, locked_at = null "
            "where locked_at < now() - interval '4 hours'"
        )
        assert await locks(gw_database) == [("mail", "paused:ada"), ("post", "resuming:ada")]
        with pytest.raises(ValueError, match="is no worker but a paused queue"):
            await utils.force_unlock_workers(["paused:ada"])
        assert [owner.worker_id for owner in await utils.locked_workers()] == ["someone"]


async def test_a_queue_is_paused_in_the_callers_transaction(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        transaction = db.transaction()
        await transaction.start()
        await utils.with_executor(db).pause_queue("mail")
        await utils.with_executor(db).pause_task("quick")
        await transaction.rollback()
        nothing = await utils.paused()
        assert (nothing.queues, nothing.tasks) == ([], [])


# -- tasks and everything ------------------------------------------------------------------------


async def test_a_paused_task_waits_while_others_run(gw_database: str, runs: Runs) -> None:
    tasks = runs.tasks
    async with running(gw_database, tasks=tasks) as worker:
        utils = worker.create_utils()
        pause = await utils.pause_task(tasks[0], by="ada")
        assert (pause.name, pause.paused_by) == ("quick", "ada")
        assert (await utils.pause_task("quick", by="bob")).paused_by == "ada"
        await until(lambda: claims(worker, 2))
        await utils.add_raw_job("quick")
        await utils.add_raw_job("other")
        await until(runs.are(other=1))
        assert [pause.name for pause in (await utils.paused()).tasks] == ["quick"]

        assert await utils.resume_task("quick")
        await until(runs.are(other=1, quick=1))
        assert not await utils.resume_task("quick")
        assert (await utils.paused()).tasks == []


async def claims(worker: Worker, tasks: int) -> bool:
    """Whether it claims jobs of so many tasks; a claim that was sent before is answered by then."""
    if len(worker._task_ids.ids) != tasks:
        return False
    assert worker._parts is not None
    async with worker._parts.engine.claimer.turn:
        return True


async def test_claims_by_transaction_obey_too(gw_database: str, runs: Runs) -> None:
    async with running(gw_database, tasks=runs.tasks, claim_mode="transaction") as worker:
        utils = worker.create_utils()
        await utils.pause_task("quick")
        await until(lambda: claims(worker, 2))
        await utils.add_raw_job("quick")
        await utils.add_raw_job("other")
        await until(runs.are(other=1))
        await utils.resume_task("quick")
        await until(runs.are(other=1, quick=1))


async def test_a_queue_at_full_speed_stops_at_once(gw_database: str, runs: Runs) -> None:
    """Its worker takes the next job in the statement that releases the one before."""
    async with running(gw_database, tasks=runs.tasks) as worker:
        utils = worker.create_utils()
        await utils.add_raw_jobs([RawJobSpec("quick", None, in_queue("mail")) for _ in range(3000)])
        await until(lambda: has_run(runs, 20))
        paused = await utils.pause_queue("mail")
        assert len(paused.running) <= 1
        await until(lambda: nothing_runs(worker))
        ran = runs.of["quick"]
        assert ran < 3000
        await utils.add_raw_job("other")
        await until(lambda: has_run(runs, 1, "other"))
        assert runs.of["quick"] == ran
        assert len(await utils.list_jobs("blocked", limit=None)) == 3000 - ran


async def has_run(runs: Runs, count: int, task: str = "quick") -> bool:
    return runs.of[task] >= count


async def test_a_pause_is_known_to_a_worker_that_starts_after_it(
    gw_database: str, runs: Runs
) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.pause_task("quick")
        await utils.add_raw_job("quick")
        await utils.add_raw_job("other")
        async with WorkerOptions(database_url=gw_database, tasks=runs.tasks).init() as worker:
            assert (await worker.run_once()).completed == 1
            await utils.resume_task("quick")
            assert (await worker.run_once()).completed == 1
    assert runs.of == {"other": 1, "quick": 1}


async def test_when_everything_is_paused_what_runs_ends_and_what_waits_goes_back(
    gw_database: str, runs: Runs
) -> None:
    ahead = LocalQueueConfig(size=10)
    async with running(gw_database, tasks=runs.tasks, concurrency=1, local_queue=ahead) as worker:
        utils = worker.create_utils()
        await utils.add_raw_job("slow")
        await runs.began.wait()
        await utils.add_raw_job("quick")
        await until(lambda: locked(utils, 2))
        await utils.pause_task("other")
        await utils.pause_all(by="ada")
        await until(lambda: locked(utils, 1))
        runs.go.set()
        await until(lambda: locked(utils, 0))
        assert runs.of == {"slow": 1}

        assert await utils.resume_all()
        await until(runs.are(slow=1, quick=1))
        assert [pause.name for pause in (await utils.paused()).tasks] == ["other"]


async def locked(utils: WorkerUtils, count: int) -> bool:
    return (await utils.stats()).locked == count


async def test_a_paused_task_is_not_reported_as_unknown(
    gw_database: str, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.pause_task("quick")
        await utils.add_raw_job("quick")
        async with running(gw_database, tasks=runs.tasks, poll_interval=0.05):
            await utils.add_raw_job("other")
            await until(runs.are(other=1))
    assert "does not know" not in caplog.text
    assert "paused from now on: the task 'quick'" in caplog.text


async def test_a_worker_that_hears_nothing_still_finds_out(
    gw_database: str, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphile_worker.worker.pauses.EVERY_UNTOLD", 0.05)
    async with running(
        gw_database, tasks=runs.tasks, use_notification_delivery=False, poll_interval=0.05
    ) as worker:
        utils = worker.create_utils()
        await utils.pause_task("quick")
        await until(lambda: claims(worker, 2))
        await utils.add_raw_job("quick")
        await utils.resume_task("quick")
        await until(runs.are(quick=1))
