"""Values that are made without their constructor are the same values."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graphile_worker import Job, JobComplete, JobFetch, JobStart
from graphile_worker.hooks.quick_events import job_complete, job_fetch, job_start
from graphile_worker.jobs.claimed_job import QUEUED, ClaimedJob
from graphile_worker.jobs.job import JobState

NOW = datetime(2026, 11, 26, tzinfo=UTC)
CLAIMED = ClaimedJob(
    id=1,
    task_id=2,
    queue_id=3,
    payload="[]",
    attempts=4,
    max_attempts=5,
    locked_at=NOW.timestamp(),
    key="key",
    queue_name="queue",
    priority=6,
    run_at=(NOW - timedelta(hours=1)).timestamp(),
    last_error="error",
    revision=7,
    flags='{"flag": true}',
    created_at=(NOW - timedelta(hours=2)).timestamp(),
    updated_at=(NOW - timedelta(hours=3)).timestamp(),
    queued=QUEUED,
)
JOB = Job(
    id=1,
    task_identifier="task",
    queue_name="queue",
    payload=[],
    priority=6,
    run_at=NOW - timedelta(hours=1),
    attempts=4,
    max_attempts=5,
    last_error="error",
    key="key",
    revision=7,
    flags=frozenset({"flag"}),
    created_at=NOW - timedelta(hours=2),
    updated_at=NOW - timedelta(hours=3),
    locked_at=NOW,
    locked_by="worker",
    state=JobState.LOCKED,
)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (CLAIMED.job("task", "worker"), JOB),
        (job_fetch(JOB, "worker"), JobFetch(job=JOB, worker_id="worker")),
        (job_start(JOB, "worker"), JobStart(job=JOB, worker_id="worker")),
        (
            job_complete(JOB, "worker", timedelta(1)),
            JobComplete(job=JOB, worker_id="worker", duration=timedelta(1)),
        ),
    ],
)
def test_a_draft_becomes_the_value(made: Any, expected: Any) -> None:
    assert type(made) is type(expected)
    assert made == expected
    assert repr(made) == repr(expected)
    assert copy.copy(made) == pickle.loads(pickle.dumps(made)) == expected
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(made)[0].name, None)


def test_what_is_no_field_of_a_view_is_no_attribute() -> None:
    for job in (CLAIMED.job("task", "worker"), JOB):
        for name in ("nothing", "_claims", "__length_hint__"):
            assert not hasattr(job, name)


def test_a_view_works_a_field_out_once() -> None:
    job = CLAIMED.job("task", "worker")
    assert job.flags is job.flags
    assert job.run_at is job.run_at
