"""Every event: when it happens, and what it carries.

Frozen values; all handlers of an event are given the same one. A `job` is as it was claimed: its
`attempts` count the current run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from graphile_worker.database.executor import Database
from graphile_worker.hooks.reasons import FailureReason, LocalQueueMode, ShutdownReason
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.spec import JobSpec


class ObserverEvent:
    """Something that happened; its handlers answer nothing."""

    __slots__ = ()


class InterceptorEvent:
    """Something that is about to happen; its handlers may change that."""

    __slots__ = ()


# -- the worker ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInit(ObserverEvent):
    """`init()` has connected, migrated and registered the tasks."""

    database: Database
    schema: str
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStart(ObserverEvent):
    """`run()` begins: the worker is registered, and has no work yet. Not for `run_once`."""

    database: Database
    direct_database: Database
    """Of `direct_database_url`, for what needs a session of the server; the same without one."""
    worker_id: str
    extensions: Mapping[type, object]
    """What `ctx.get_ext` gives to handlers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerShutdown(ObserverEvent):
    """`run()` ends: every outcome is stored, every event of a job told. It is still registered."""

    database: Database
    worker_id: str
    reason: ShutdownReason


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecovered(ObserverEvent):
    """A sweep has recovered the jobs of workers that fell silent; not for one that found none."""

    worker_id: str
    """Of the worker that swept; `worker_utils` for a sweep by hand."""
    dead_worker_ids: Sequence[str]
    jobs_recovered: int


# -- a job ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFetch(ObserverEvent):
    """`run()` has taken a job, and begins with it. Not for `run_once`."""

    job: Job
    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeJobRun(InterceptorEvent):
    """The handler is about to be called."""

    job: Job
    worker_id: str
    payload: Any
    """The stored JSON value. Changing it changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStart(ObserverEvent):
    """`BeforeJobRun` let the job pass; the handler is called next, in the same context."""

    job: Job
    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterJobRun(InterceptorEvent):
    """The handler has ended, in whatever way; nothing is stored yet."""

    job: Job
    worker_id: str
    result: BaseException | None
    """What it raised: a `CancelledError` when the shutdown cut it off, a `Snooze`; None when it
    returned."""
    duration: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class JobComplete(ObserverEvent):
    """The job is done and its row is gone."""

    job: Job
    worker_id: str
    duration: timedelta
    """Of the handler; zero for a job that `BeforeJobRun` skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFail(ObserverEvent):
    """The failure is stored, and the job will be retried."""

    job: Job
    worker_id: str
    error: str
    """As stored in `last_error`."""
    will_retry: bool = True
    """Always true; `JobPermanentlyFail` is the other case."""
    duration: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPermanentlyFail(ObserverEvent):
    """The failure is stored, and there are no attempts left."""

    job: Job
    worker_id: str
    error: str
    """As stored in `last_error`."""
    duration: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInterrupted(ObserverEvent):
    """A job whose run was cut off has been handed back, as `JobRecovery` had it."""

    job: Job
    worker_id: str
    """Of the worker that handed it back; `worker_utils` for a sweep by hand."""
    reason: FailureReason


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnoozed(ObserverEvent):
    """The handler raised `Snooze`, and that is stored."""

    job: Job
    worker_id: str
    delay: timedelta
    duration: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLost(ObserverEvent):
    """The job was taken from this worker while it ran; what became of the run is not stored."""

    job: Job
    worker_id: str
    duration: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecovery(InterceptorEvent):
    """A job whose run was cut off is about to be handed back."""

    job: Job
    worker_id: str
    """Of the worker that hands it back; `worker_utils` for a sweep by hand."""
    previous_worker_id: str
    """Of the worker that ran it; the same one at a shutdown."""
    reason: FailureReason


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeJobSchedule(InterceptorEvent):
    """A job is about to be added through utils with hooks; not by cron or in SQL."""

    identifier: str
    payload: Any
    """The JSON value, as handlers before this one left it."""
    spec: JobSpec


# -- cron ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTick(ObserverEvent):
    """A minute is looked at, whether or not anything is due."""

    timestamp: datetime
    """The minute, in UTC."""
    crontabs: Sequence[Any]
    """All `Crontab`s of the worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronJobScheduled(ObserverEvent):
    """This worker has added the job of a cron item that was due; in a fleet, one worker is told."""

    crontab: Any
    """The `Crontab`."""
    scheduled_at: datetime
    """The minute it is due for, in UTC."""


# -- the local queue -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalQueueInit(ObserverEvent):
    """A local queue begins its work."""

    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalQueueSetMode(ObserverEvent):
    """A local queue does something else from now on."""

    worker_id: str
    old_mode: LocalQueueMode
    new_mode: LocalQueueMode


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalQueueGetJobsComplete(ObserverEvent):
    """A fetch into a local queue was answered."""

    worker_id: str
    jobs_count: int
    """0 included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalQueueReturnJobs(ObserverEvent):
    """Jobs that waited in a local queue are back in the table."""

    worker_id: str
    jobs_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalQueueRefetchDelayStart(ObserverEvent):
    """A fetch brought so little that the next one waits."""

    worker_id: str
    duration: timedelta
    threshold: int
    abort_threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalQueueRefetchDelayAbort(ObserverEvent):
    """So many jobs were announced that the delay ends early."""

    worker_id: str
    count: int
    abort_threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalQueueRefetchDelayExpired(ObserverEvent):
    """The delay is over."""

    worker_id: str
