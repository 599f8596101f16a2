"""The pause before looking again, as hooks hear of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from support.recorder import Recorder
from support.running import running, sql, until

from graphile_worker import (
    JobComplete,
    LocalQueueConfig,
    LocalQueueRefetchDelayAbort,
    LocalQueueRefetchDelayExpired,
    LocalQueueRefetchDelayStart,
    RefetchDelayConfig,
    Worker,
    task,
)

DELAYS: list[Any] = [
    LocalQueueRefetchDelayStart,
    LocalQueueRefetchDelayAbort,
    LocalQueueRefetchDelayExpired,
]


@task(payload=None)
async def work() -> None: ...


def pausing(recorder: Recorder, delay: RefetchDelayConfig) -> dict[str, Any]:
    return {
        "tasks": [work],
        "plugins": [recorder],
        "poll_interval": timedelta(hours=1),
        "local_queue": LocalQueueConfig(size=10, refetch_delay=delay),
    }


async def until_told(recorder: Recorder, kind: type, count: int = 1) -> None:
    async def told() -> bool:
        return len(recorder.of(kind)) >= count

    await until(told)


async def listens(worker: Worker) -> None:
    async def listening() -> bool:
        return bool(worker.health().listening)

    await until(listening)


async def test_a_pause_that_is_over_is_told_and_the_next_claim_sent(gw_database: str) -> None:
    recorder = Recorder([*DELAYS, JobComplete])
    # Where few are enough to end the pause, the one job may be.
    delay = RefetchDelayConfig(duration=0.05, threshold=3, max_abort_threshold=1_000_000)
    async with running(gw_database, **pausing(recorder, delay)) as worker:
        await until_told(recorder, LocalQueueRefetchDelayExpired)
        await listens(worker)
        before = len(recorder.of(LocalQueueRefetchDelayExpired))
        await worker.create_utils().add_job(work)
        await until_told(recorder, JobComplete)
        # The claim that brought one job brought fewer than it asked for: another pause.
        await until_told(recorder, LocalQueueRefetchDelayExpired, before + 1)
    start = recorder.of(LocalQueueRefetchDelayStart)[0]
    assert (start.worker_id, start.threshold) == (worker.worker_id, 3)
    assert timedelta(seconds=0.025) <= start.duration <= timedelta(seconds=0.075)
    assert 1 <= start.abort_threshold <= 1_000_000
    assert recorder.of(LocalQueueRefetchDelayAbort) == []
    names = [event for event in recorder.events if type(event) in DELAYS]
    kinds = [type(event) for event in names]
    assert kinds[: 2 * (len(kinds) // 2)] == DELAYS[::2] * (len(kinds) // 2), "in turns"


async def test_jobs_that_are_announced_meanwhile_end_the_pause(gw_database: str) -> None:
    """The pause of an hour is the one that is under way when the jobs come."""
    recorder = Recorder([*DELAYS, JobComplete])
    delay = RefetchDelayConfig(duration=3600, threshold=3, max_abort_threshold=1)
    async with running(gw_database, **pausing(recorder, delay)) as worker:
        await until_told(recorder, LocalQueueRefetchDelayStart)
        await listens(worker)
        async with sql(gw_database) as connection:
            await connection.execute("select graphile_worker.add_job('work')")
        await until_told(recorder, JobComplete)
    abort = recorder.of(LocalQueueRefetchDelayAbort)[0]
    assert (abort.worker_id, abort.count, abort.abort_threshold) == (worker.worker_id, 1, 1)
    assert recorder.of(LocalQueueRefetchDelayExpired) == []


async def test_a_shutdown_ends_the_pause_without_a_word(gw_database: str) -> None:
    recorder = Recorder(DELAYS)
    delay = RefetchDelayConfig(duration=3600)
    async with running(gw_database, **pausing(recorder, delay)):
        await until_told(recorder, LocalQueueRefetchDelayStart)
    await asyncio.sleep(0)
    assert 1 <= recorder.of(LocalQueueRefetchDelayStart)[0].abort_threshold <= 50
    assert {type(event) for event in recorder.events} == {LocalQueueRefetchDelayStart}
