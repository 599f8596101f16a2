"""Which job the code that runs belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, NamedTuple

from graphile_worker.jobs.claimed_job import ClaimedJob


class CurrentJob(NamedTuple):
    """The job of a handler, as log lines name it."""

    job_id: int
    task_identifier: str
    attempt: int


_current: Final[ContextVar[tuple[ClaimedJob, str] | None]] = ContextVar(
    "graphile_worker_job", default=None
)


enter_job: Final = _current.set
"""Called with a job and the name of its task: from here on, in this context, code belongs to it.

It is done for every job: what it says is put into words only when somebody asks.
"""


def current_job() -> CurrentJob | None:
    """The job that the caller works for, in a handler or in what it calls or starts.

    It is kept in a context variable: asyncio tasks, the worker's threads and `asyncio.to_thread`
    see it; threads of the handler's own making, executors and other processes do not.
    """
    entered = _current.get()
    if entered is None:
        return None
    job, task_identifier = entered
    return CurrentJob(job.id, task_identifier, job.attempts)
