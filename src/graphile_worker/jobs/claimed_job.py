"""A job that this worker has claimed."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any, Final, NamedTuple

from graphile_worker.jobs.draft import draft_of
from graphile_worker.jobs.job import Job, JobState


class ClaimedJob(NamedTuple):
    """A row of the claim, in the order of its columns.

    `id`, the worker's id and `locked_at` are the fence: what is released must still be held
    exactly as it was claimed. From `last_error` on, fields are None where the claim was told that
    no handler looks at its job.

    Times are seconds since 1970, as `date_part('epoch', …)` gives them: drivers take longer to make
    a datetime than for all the rest of a row, and the worker itself only compares them.
    """

    id: int
    task_id: int
    queue_id: int | None
    payload: str
    attempts: int
    max_attempts: int
    locked_at: float
    key: str | None
    queue_name: str | None
    priority: int
    run_at: float
    last_error: str | None
    revision: int
    flags: str | None
    created_at: float
    updated_at: float
    queues_exist: bool
    """Whether there may be jobs of named queues; a claim that looks at none cannot say."""

    def job(self, task_identifier: str, worker_id: str, payload: Any, flags: frozenset[str]) -> Job:
        """The public view of it; made only for handlers and hooks that ask."""
        draft = _Draft()
        draft.id = self.id
        draft.task_identifier = task_identifier
        draft.queue_name = self.queue_name
        draft.payload = payload
        draft.priority = self.priority
        draft.run_at = moment(self.run_at)
        draft.attempts = self.attempts
        draft.max_attempts = self.max_attempts
        draft.last_error = self.last_error
        draft.key = self.key
        draft.revision = self.revision
        draft.flags = flags
        draft.created_at = moment(self.created_at)
        draft.updated_at = moment(self.updated_at)
        draft.locked_at = moment(self.locked_at)
        draft.locked_by = worker_id
        draft.state = JobState.LOCKED
        draft.__class__ = Job
        job: Job = draft
        return job


def moment(seconds: float) -> datetime:
    """The time so many seconds after 1970; the first or last there is, where it lies beyond."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError):
        return _LAST if seconds > 0 else _FIRST


_FIRST: Final = datetime(MINYEAR, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(MAXYEAR, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_Draft: Final = draft_of(Job)
"""The dearest part of an event or of `ctx.job` otherwise."""
