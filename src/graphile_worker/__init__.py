"""Durable background jobs on PostgreSQL: the Graphile Worker schema, in Python.

The names below are the public interface; everything else is internal. Each is imported when it is
first used: a producer does not pay for the worker, nor a task's process for the database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from graphile_worker.runtime.version import VERSION

if TYPE_CHECKING:
    from graphile_worker.client.operations.changing import ChangedJobs
    from graphile_worker.client.operations.cleaning import CleanupTask
    from graphile_worker.client.operations.pausing import Paused, ResumedQueue
    from graphile_worker.client.sync_worker_utils import SyncWorkerUtils
    from graphile_worker.client.worker_utils import WorkerUtils
    from graphile_worker.cron.builder import Cron, Weekday
    from graphile_worker.cron.crontab import CronJobKeyMode, Crontab
    from graphile_worker.cron.fill import CrontabFill
    from graphile_worker.cron.parser import parse_crontab
    from graphile_worker.errors import (
        ConfigurationError,
        ConnectionLostError,
        CrontabError,
        DatabaseError,
        DuplicateTaskError,
        GraphileWorkerError,
        IncompatibleSchemaError,
        JobLostError,
        JobNotAddedError,
        JobScheduleFailed,
        JobScheduleSkipped,
        LockedJobsError,
        MigrationError,
        MissingDependencyError,
        PayloadError,
        PermanentFailure,
        SchemaMissingError,
        Snooze,
        UnknownTaskError,
    )
    from graphile_worker.history.options import HistoryConfig
    from graphile_worker.hooks.answers import HookResult, JobRecoveryResult, JobScheduleResult
    from graphile_worker.hooks.events import (
        AfterJobRun,
        BeforeJobRun,
        BeforeJobSchedule,
        CronJobScheduled,
        CronTick,
        JobComplete,
        JobFail,
        JobFetch,
        JobInterrupted,
        JobLost,
        JobPermanentlyFail,
        JobRecovery,
        JobSnoozed,
        JobStart,
        LocalQueueGetJobsComplete,
        LocalQueueInit,
        LocalQueueRefetchDelayAbort,
        LocalQueueRefetchDelayExpired,
        LocalQueueRefetchDelayStart,
        LocalQueueReturnJobs,
        LocalQueueSetMode,
        WorkerInit,
        WorkerRecovered,
        WorkerShutdown,
        WorkerStart,
    )
    from graphile_worker.hooks.reasons import FailureReason, LocalQueueMode, ShutdownReason
    from graphile_worker.hooks.registry import HookRegistry, Plugin
    from graphile_worker.jobs.definition import JobDefinition, task_ref
    from graphile_worker.jobs.job import Job, JobState
    from graphile_worker.jobs.new_job import NewJob, RawJobSpec
    from graphile_worker.jobs.spec import JobKeyMode, JobSpec
    from graphile_worker.local_queue.options import LocalQueueConfig, RefetchDelayConfig
    from graphile_worker.queries.history import JobRun
    from graphile_worker.queries.manage_jobs import Stats
    from graphile_worker.queries.overview import ActiveWorker, JobQueue, LockedWorker
    from graphile_worker.queries.pauses import Pause, PausedQueue
    from graphile_worker.recovery.options import WorkerRecoveryConfig
    from graphile_worker.recovery.sweep import SweepResult
    from graphile_worker.tasks.context import SyncWorkerContext, WorkerContext
    from graphile_worker.tasks.decorator import batch_task, task
    from graphile_worker.tasks.task import Task
    from graphile_worker.worker.health import Health, RunningJob
    from graphile_worker.worker.options import WorkerOptions
    from graphile_worker.worker.settings import WorkerShutdownConfig
    from graphile_worker.worker.worker import RunResult, Worker

__version__ = VERSION

__all__ = [
    "ActiveWorker",
    "AfterJobRun",
    "BeforeJobRun",
    "BeforeJobSchedule",
    "ChangedJobs",
    "CleanupTask",
    "ConfigurationError",
    "ConnectionLostError",
    "Cron",
    "CronJobKeyMode",
    "CronJobScheduled",
    "CronTick",
    "Crontab",
    "CrontabError",
    "CrontabFill",
    "DatabaseError",
    "DuplicateTaskError",
    "FailureReason",
    "GraphileWorkerError",
    "Health",
    "HistoryConfig",
    "HookRegistry",
    "HookResult",
    "IncompatibleSchemaError",
    "Job",
    "JobComplete",
    "JobDefinition",
    "JobFail",
    "JobFetch",
    "JobInterrupted",
    "JobKeyMode",
    "JobLost",
    "JobLostError",
    "JobNotAddedError",
    "JobPermanentlyFail",
    "JobQueue",
    "JobRecovery",
    "JobRecoveryResult",
    "JobRun",
    "JobScheduleFailed",
    "JobScheduleResult",
    "JobScheduleSkipped",
    "JobSnoozed",
    "JobSpec",
    "JobStart",
    "JobState",
    "LocalQueueConfig",
    "LocalQueueGetJobsComplete",
    "LocalQueueInit",
    "LocalQueueMode",
    "LocalQueueRefetchDelayAbort",
    "LocalQueueRefetchDelayExpired",
    "LocalQueueRefetchDelayStart",
    "LocalQueueReturnJobs",
    "LocalQueueSetMode",
    "LockedJobsError",
    "LockedWorker",
    "MigrationError",
    "MissingDependencyError",
    "NewJob",
    "Pause",
    "Paused",
    "PausedQueue",
    "PayloadError",
    "PermanentFailure",
    "Plugin",
    "RawJobSpec",
    "RefetchDelayConfig",
    "ResumedQueue",
    "RunResult",
    "RunningJob",
    "SchemaMissingError",
    "ShutdownReason",
    "Snooze",
    "Stats",
    "SweepResult",
    "SyncWorkerContext",
    "SyncWorkerUtils",
    "Task",
    "UnknownTaskError",
    "Weekday",
    "Worker",
    "WorkerContext",
    "WorkerInit",
    "WorkerOptions",
    "WorkerRecovered",
    "WorkerRecoveryConfig",
    "WorkerShutdown",
    "WorkerShutdownConfig",
    "WorkerStart",
    "WorkerUtils",
    "batch_task",
    "parse_crontab",
    "task",
    "task_ref",
]

_MODULES: Final = {
    "ChangedJobs": "client.operations.changing",
    "CleanupTask": "client.operations.cleaning",
    "Paused": "client.operations.pausing",
    "ResumedQueue": "client.operations.pausing",
    "SyncWorkerUtils": "client.sync_worker_utils",
    "WorkerUtils": "client.worker_utils",
    "HistoryConfig": "history.options",
    "HookResult": "hooks.answers",
    "JobRecoveryResult": "hooks.answers",
    "JobScheduleResult": "hooks.answers",
    "AfterJobRun": "hooks.events",
    "BeforeJobRun": "hooks.events",
    "BeforeJobSchedule": "hooks.events",
    "CronJobScheduled": "hooks.events",
    "CronTick": "hooks.events",
    "JobComplete": "hooks.events",
    "JobFail": "hooks.events",
    "JobFetch": "hooks.events",
    "JobInterrupted": "hooks.events",
    "JobLost": "hooks.events",
    "JobPermanentlyFail": "hooks.events",
    "JobRecovery": "hooks.events",
    "JobSnoozed": "hooks.events",
    "JobStart": "hooks.events",
    "LocalQueueGetJobsComplete": "hooks.events",
    "LocalQueueInit": "hooks.events",
    "LocalQueueRefetchDelayAbort": "hooks.events",
    "LocalQueueRefetchDelayExpired": "hooks.events",
    "LocalQueueRefetchDelayStart": "hooks.events",
    "LocalQueueReturnJobs": "hooks.events",
    "LocalQueueSetMode": "hooks.events",
    "WorkerInit": "hooks.events",
    "WorkerRecovered": "hooks.events",
    "WorkerShutdown": "hooks.events",
    "WorkerStart": "hooks.events",
    "FailureReason": "hooks.reasons",
    "LocalQueueMode": "hooks.reasons",
    "ShutdownReason": "hooks.reasons",
    "HookRegistry": "hooks.registry",
    "Plugin": "hooks.registry",
    "Cron": "cron.builder",
    "Weekday": "cron.builder",
    "CronJobKeyMode": "cron.crontab",
    "Crontab": "cron.crontab",
    "CrontabFill": "cron.fill",
    "parse_crontab": "cron.parser",
    "JobDefinition": "jobs.definition",
    "task_ref": "jobs.definition",
    "Job": "jobs.job",
    "JobState": "jobs.job",
    "NewJob": "jobs.new_job",
    "RawJobSpec": "jobs.new_job",
    "JobKeyMode": "jobs.spec",
    "JobSpec": "jobs.spec",
    "LocalQueueConfig": "local_queue.options",
    "RefetchDelayConfig": "local_queue.options",
    "Stats": "queries.manage_jobs",
    "JobRun": "queries.history",
    "ActiveWorker": "queries.overview",
    "JobQueue": "queries.overview",
    "LockedWorker": "queries.overview",
    "Pause": "queries.pauses",
    "PausedQueue": "queries.pauses",
    "WorkerRecoveryConfig": "recovery.options",
    "SweepResult": "recovery.sweep",
    "SyncWorkerContext": "tasks.context",
    "WorkerContext": "tasks.context",
    "batch_task": "tasks.decorator",
    "task": "tasks.decorator",
    "Task": "tasks.task",
    "Health": "worker.health",
    "RunningJob": "worker.health",
    "WorkerOptions": "worker.options",
    "WorkerShutdownConfig": "worker.settings",
    "RunResult": "worker.worker",
    "Worker": "worker.worker",
}
"""Where a name is defined, below this package; those not listed are errors."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_MODULES.get(name, 'errors')}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
