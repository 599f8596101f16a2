"""Changing jobs by hand: what is changed, what a worker holds, what is not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.running import sql
from support.sent import Sent

from graphile_worker import (
    ChangedJobs,
    ConfigurationError,
    Job,
    JobSpec,
    JobState,
    WorkerUtils,
)

MISSING = 123_456_789
NO_ID = 2**70


async def lock(url: str, job: Job, ago: str = "1 minute", owner: str = "w1") -> None:
    async with sql(url) as connection:
        await connection.execute(
            f"update graphile_worker._private_jobs set locked_at = now() - interval '{ago}', "
            "locked_by = $2, attempts = 1 where id = $1",
            job.id,
            owner,
        )
        await connection.execute(
            f"update graphile_worker._private_job_queues set locked_at = now() - interval '{ago}', "
            "locked_by = $2 where queue_name = $1",
            job.queue_name,
            owner,
        )


CALLS: dict[str, Any] = {
    "complete": lambda utils, ids: utils.complete_jobs(ids),
    "fail": lambda utils, ids: utils.permanently_fail_jobs(ids, "not wanted"),
    "reschedule": lambda utils, ids: utils.reschedule_jobs(ids, priority=3),
}


@pytest.mark.parametrize("call", CALLS)
async def test_the_answer_tells_what_became_of_each(gw_database: str, call: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        first, held, forgotten, last = [await utils.add_raw_job("t", n) for n in range(4)]
        await lock(gw_database, held)
        await lock(gw_database, forgotten, "5 hours")
        asked = [last, MISSING, forgotten.id, held, first.id, last.id, NO_ID]
        answer: ChangedJobs = await CALLS[call](utils, asked)
        assert [job.id for job in answer.changed] == [last.id, forgotten.id, first.id]
        assert [job.payload for job in answer.changed] == [3, 2, 0]
        assert {job.task_identifier for job in answer.changed} == {"t"}
        assert (answer.skipped, answer.missing) == ([held.id], [MISSING, NO_ID])
        untouched = await utils.get_job(held.id)
        assert untouched is not None
        assert (untouched.priority, untouched.last_error, untouched.attempts) == (0, None, 1)


@pytest.mark.parametrize("call", CALLS)
async def test_nothing_asked_is_nothing_sent(gw_database: str, call: str) -> None:
    sent = Sent()
    utils = WorkerUtils(sent)
    assert await CALLS[call](utils, []) == ChangedJobs(changed=[], skipped=[], missing=[])
    assert await CALLS[call](utils, iter(())) == ChangedJobs(changed=[], skipped=[], missing=[])
    answer = await CALLS[call](utils, [NO_ID])
    assert (answer.missing, sent.names) == ([NO_ID], [])


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("wrong", ["7", None, True, 1.0])
async def test_what_is_no_id_is_refused(call: str, wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="expected a job or the id of one, got"):
        await CALLS[call](WorkerUtils(Sent()), [wrong])


async def test_completed_jobs_are_gone(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        job = await utils.add_raw_job("t", {"a": 1}, JobSpec(queue_name="q", flags=["f"]))
        answer = await utils.complete_jobs([job])
        assert answer.changed == [job]
        assert await utils.get_job(job.id) is None
        assert (await utils.complete_jobs([job])).missing == [job.id]


async def test_failed_for_good(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        job = await utils.add_raw_job("t", None, JobSpec(job_key="k", max_attempts=3))
        [failed] = (await utils.permanently_fail_jobs([job], "not wanted any more")).changed
        assert failed == await utils.get_job(job.id)
        assert (failed.state, failed.attempts) == (JobState.FAILED, 3)
        assert failed.last_error == "not wanted any more"
        assert failed.key == "k"
        assert failed.updated_at > job.updated_at
        [again] = (await utils.permanently_fail_jobs([job.id])).changed
        assert again.last_error == "Manually marked as failed"
        [empty] = (await utils.permanently_fail_jobs([job.id], "")).changed
        assert empty.last_error == ""
        new = await utils.add_raw_job("t", None, JobSpec(job_key="k"))
        assert new.id != job.id


async def test_rescheduling_changes_what_is_given_and_nothing_else(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        job = await utils.add_raw_job("t", None, JobSpec(job_key="k", queue_name="q", priority=2))
        await utils.permanently_fail_jobs([job], "no")
        at = datetime(2031, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
        [moved] = (await utils.reschedule_jobs([job], run_at=at)).changed
        assert (moved.run_at, moved.attempts, moved.priority) == (at, 25, 2)
        [zero] = (await utils.reschedule_jobs([job], priority=0, attempts=0)).changed
        assert (zero.run_at, zero.attempts, zero.priority) == (at, 0, 0)
        assert (zero.last_error, zero.key, zero.queue_name, zero.revision) == ("no", "k", "q", 0)
        [more] = (await utils.reschedule_jobs([job], max_attempts=7)).changed
        assert (more.attempts, more.max_attempts) == (0, 7)
        [soon] = (await utils.reschedule_jobs([job], run_at=timedelta(hours=1))).changed
        assert soon.run_at - soon.updated_at == timedelta(hours=1)


async def test_a_stale_lock_stays_when_the_job_is_changed(gw_database: str) -> None:
    """As the contract says: it takes `force_unlock_workers`, or a sweep, to release it."""
    async with WorkerUtils.connect(gw_database) as utils:
        job = await utils.add_raw_job("t", None, JobSpec(queue_name="q"))
        await lock(gw_database, job, "5 hours")
        [changed] = (await utils.reschedule_jobs([job], attempts=0)).changed
        assert (changed.state, changed.locked_by) == (JobState.LOCKED, "w1")
        await utils.complete_jobs([job])
        assert [queue.locked_by for queue in await utils.queues()] == ["w1"]
        await utils.force_unlock_workers(["w1"])
        assert [queue.locked_by for queue in await utils.queues()] == [None]


async def test_force_unlock_releases_jobs_and_queues_of_these_workers_only(
    gw_database: str,
) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        mine = await utils.add_raw_job("t", None, JobSpec(queue_name="q"))
        other = await utils.add_raw_job("t", None, JobSpec(queue_name="r"))
        await lock(gw_database, mine)
        await lock(gw_database, other, owner="w2")
        assert [
            (w.worker_id, w.locked_jobs, w.locked_queues) for w in await utils.locked_workers()
        ] == [
            ("w1", 1, 1),
            ("w2", 1, 1),
        ]
        await utils.force_unlock_workers(["w1", "nobody"])
        assert [worker.worker_id for worker in await utils.locked_workers()] == ["w2"]
        unlocked = await utils.get_job(mine.id)
        assert unlocked is not None
        assert (unlocked.state, unlocked.attempts) == (JobState.READY, 1)


async def test_unlocking_nobody_sends_nothing() -> None:
    sent = Sent()
    await WorkerUtils(sent).force_unlock_workers([])
    assert sent.names == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "at least one of run_at, priority, attempts, max_attempts"),
        ({"run_at": datetime(2030, 1, 1)}, "aware"),  # noqa: DTZ001 (the fault under test)
        ({"run_at": "now"}, "run_at must be a datetime"),
        ({"priority": 40_000}, "priority must be between"),
        ({"max_attempts": 0}, "max_attempts must be between 1"),
        ({"attempts": -1}, "attempts must be between 0"),
        ({"attempts": 40_000}, "attempts must be between 0"),
        ({"attempts": True}, "attempts must be a whole number"),
    ],
)
async def test_changes_that_make_no_sense(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        await WorkerUtils(Sent()).reschedule_jobs([1], **wrong)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda utils: utils.permanently_fail_jobs([1], "a\0b"), "reason must not contain a NUL"),
        (lambda utils: utils.permanently_fail_jobs([1], 5), "reason must be a string"),
        (lambda utils: utils.permanently_fail_jobs([1], "\ud800"), "reason holds a lone surrogate"),
        (lambda utils: utils.force_unlock_workers("w1"), r"write \['w1'\]"),
        (lambda utils: utils.force_unlock_workers([1]), "a worker id must be a string"),
        (lambda utils: utils.remove_job("\0"), "a job key must not contain a NUL"),
        (lambda utils: utils.remove_job(None), "a job key must be a string"),
        (lambda utils: utils.get_job("7"), "expected the id of a job"),
    ],
)
async def test_texts_and_ids_postgresql_would_refuse(call: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        await call(WorkerUtils(Sent()))


async def test_an_id_no_job_can_have_is_no_error() -> None:
    assert await WorkerUtils(Sent()).get_job(NO_ID) is None
