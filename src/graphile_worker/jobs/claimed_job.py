"""A job that this worker has claimed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from graphile_worker.jobs.draft import draft_of
from graphile_worker.jobs.job import Job, JobState
from graphile_worker.jobs.stored import flags_of, moment, payload_of

QUEUED_NEAR: Final = -1
"""Some are in a named queue, and all that were taken are among the very first."""
NO_QUEUED: Final = 0
"""No job is in a named queue."""
NONE_FREE: Final = 1
"""Jobs are, but none in a queue that is free."""
QUEUED: Final = 2
"""There may be some among the next."""
QUEUED_AFTER: Final = 3
"""None of a free queue is among those that were taken, and the next, of no queue either; their
number is added to this."""


class ClaimedJob(NamedTuple):
    """A row of the claim, in the order of its columns.

    `id`, the worker's id and `locked_at` are the fence: what is released must still be held
    exactly as it was claimed. `queue_name` and, from `last_error` on, all but the last are None
    where the claim was told that no handler looks at its job.

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
    queued: int
    """What its claim saw of jobs in named queues: one of the figures above."""

    def job(self, task_identifier: str, worker_id: str) -> Job:
        """The public view of it, for handlers and hooks that ask."""
        draft = _Draft()
        draft.id = self.id
        draft.task_identifier = task_identifier
        draft.queue_name = self.queue_name
        draft.priority = self.priority
        draft.attempts = self.attempts
        draft.max_attempts = self.max_attempts
        draft.last_error = self.last_error
        draft.key = self.key
        draft.revision = self.revision
        draft.locked_by = worker_id
        draft.state = JobState.LOCKED
        draft._claimed = self  # noqa: SLF001 (it is the view that is made)
        draft.__class__ = Job
        job: Job = draft
        return job

    def late(self, name: str) -> Any:
        """A field of the view that takes longer to make than all the others.

        Raises:
            AttributeError: the view has no such field.
        """
        make = _LATE.get(name)
        if make is None:
            raise AttributeError(f"'Job' object has no attribute {name!r}")
        return make(getattr(self, name))


_LATE: Final[dict[str, Callable[[Any], Any]]] = {
    "payload": payload_of,
    "flags": flags_of,
    "run_at": moment,
    "created_at": moment,
    "updated_at": moment,
    "locked_at": moment,
}
_Draft: Final = draft_of(Job)
"""The dearest part of an event or of `ctx.job` otherwise."""
