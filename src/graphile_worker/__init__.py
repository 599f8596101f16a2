"""Durable background jobs on PostgreSQL: the Graphile Worker schema, in Python.

The names below are the public interface; everything else is internal. Each is imported when it is
first used: a producer does not pay for the worker, nor a task's process for the database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from graphile_worker.client.worker_utils import WorkerUtils
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
    from graphile_worker.queries.manage_jobs import Stats
    from graphile_worker.tasks.context import SyncWorkerContext, WorkerContext
    from graphile_worker.tasks.decorator import batch_task, task
    from graphile_worker.tasks.task import Task
    from graphile_worker.worker.options import WorkerOptions
    from graphile_worker.worker.settings import WorkerShutdownConfig
    from graphile_worker.worker.worker import RunResult, Worker

__version__ = "0.1.0"

__all__ = [
    "AfterJobRun",
    "BeforeJobRun",
    "BeforeJobSchedule",
    "ConfigurationError",
    "ConnectionLostError",
    "CronJobScheduled",
    "CronTick",
    "CrontabError",
    "DatabaseError",
    "DuplicateTaskError",
    "FailureReason",
    "GraphileWorkerError",
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
    "JobRecovery",
    "JobRecoveryResult",
    "JobScheduleFailed",
    "JobScheduleResult",
    "JobScheduleSkipped",
    "JobSnoozed",
    "JobSpec",
    "JobStart",
    "JobState",
    "LocalQueueGetJobsComplete",
    "LocalQueueInit",
    "LocalQueueMode",
    "LocalQueueRefetchDelayAbort",
    "LocalQueueRefetchDelayExpired",
    "LocalQueueRefetchDelayStart",
    "LocalQueueReturnJobs",
    "LocalQueueSetMode",
    "LockedJobsError",
    "MigrationError",
    "MissingDependencyError",
    "NewJob",
    "PayloadError",
    "PermanentFailure",
    "Plugin",
    "RawJobSpec",
    "RunResult",
    "SchemaMissingError",
    "ShutdownReason",
    "Snooze",
    "Stats",
    "SyncWorkerContext",
    "Task",
    "UnknownTaskError",
    "Worker",
    "WorkerContext",
    "WorkerInit",
    "WorkerOptions",
    "WorkerRecovered",
    "WorkerShutdown",
    "WorkerShutdownConfig",
    "WorkerStart",
    "WorkerUtils",
    "batch_task",
    "task",
    "task_ref",
]

_MODULES: Final = {
    "WorkerUtils": "client.worker_utils",
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
    "JobDefinition": "jobs.definition",
    "task_ref": "jobs.definition",
    "Job": "jobs.job",
    "JobState": "jobs.job",
    "NewJob": "jobs.new_job",
    "RawJobSpec": "jobs.new_job",
    "JobKeyMode": "jobs.spec",
    "JobSpec": "jobs.spec",
    "Stats": "queries.manage_jobs",
    "SyncWorkerContext": "tasks.context",
    "WorkerContext": "tasks.context",
    "batch_task": "tasks.decorator",
    "task": "tasks.decorator",
    "Task": "tasks.task",
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
