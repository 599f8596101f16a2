"""A job that this worker has claimed."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any, Final, NamedTuple

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
        values = (
            self.id,
            task_identifier,
            self.queue_name,
            payload,
            self.priority,
            aware(self.run_at),
            self.attempts,
            self.max_attempts,
            self.last_error,
            self.key,
            self.revision,
            flags,
            self.created_at,
            self.updated_at,
            self.locked_at,
            worker_id,
            JobState.LOCKED,
        )
        job = object.__new__(Job)
        for put, value in zip(_PUT, values, strict=True):
            put(job, value)
        return job


_PUT: Final = [getattr(Job, field.name).__set__ for field in fields(Job)]
"""Fills the slots of a `Job`, in order: twice as fast as the constructor of a frozen dataclass, and
the dearest part of an event or of `ctx.job`."""
