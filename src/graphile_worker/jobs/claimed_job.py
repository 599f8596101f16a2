"""A job that this worker has claimed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from graphile_worker.jobs.draft import draft_of
from graphile_worker.jobs.job import Job, JobState, aware


class ClaimedJob(NamedTuple):
    """A row of the claim, in the order of its columns.

    `id`, the worker's id and `locked_at` are the fence: what is released must still be held
    exactly as it was claimed. From `last_error` on, fields are None where the claim was told that
    no handler looks at its job.
    """

    id: int
    task_id: int
    queue_id: int | None
    payload: str
    attempts: int
    max_attempts: int
    locked_at: datetime
    key: str | None
    queue_name: str | None
    priority: int
    run_at: datetime
    last_error: str | None
    revision: int
    flags: str | None
    created_at: datetime
    updated_at: datetime
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
        draft.run_at = aware(self.run_at)
        draft.attempts = self.attempts
        draft.max_attempts = self.max_attempts
        draft.last_error = self.last_error
        draft.key = self.key
        draft.revision = self.revision
        draft.flags = flags
        draft.created_at = self.created_at
        draft.updated_at = self.updated_at
        draft.locked_at = self.locked_at
        draft.locked_by = worker_id
        draft.state = JobState.LOCKED
        draft.__class__ = Job
        job: Job = draft
        return job


_Draft: Final = draft_of(Job)
"""The dearest part of an event or of `ctx.job` otherwise."""
