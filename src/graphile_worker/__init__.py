"""Durable background jobs on PostgreSQL: the Graphile Worker schema, in Python.

The names below are the public interface; everything else is internal.
"""

from __future__ import annotations

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
from graphile_worker.jobs.definition import JobDefinition, task_ref
from graphile_worker.jobs.job import Job, JobState
from graphile_worker.jobs.new_job import NewJob, RawJobSpec
from graphile_worker.jobs.spec import JobKeyMode, JobSpec
from graphile_worker.queries.manage_jobs import Stats
from graphile_worker.tasks.context import SyncWorkerContext, WorkerContext
from graphile_worker.tasks.decorator import batch_task, task
from graphile_worker.tasks.task import Task
from graphile_worker.worker.options import WorkerOptions, WorkerShutdownConfig
from graphile_worker.worker.worker import RunResult, Worker

__version__ = "0.1.0"

__all__ = [
    "ConfigurationError",
    "ConnectionLostError",
    "CrontabError",
    "DatabaseError",
    "DuplicateTaskError",
    "GraphileWorkerError",
    "IncompatibleSchemaError",
    "Job",
    "JobDefinition",
    "JobKeyMode",
    "JobLostError",
    "JobNotAddedError",
    "JobScheduleFailed",
    "JobScheduleSkipped",
    "JobSpec",
    "JobState",
    "LockedJobsError",
    "MigrationError",
    "MissingDependencyError",
    "NewJob",
    "PayloadError",
    "PermanentFailure",
    "RawJobSpec",
    "RunResult",
    "SchemaMissingError",
    "Snooze",
    "Stats",
    "SyncWorkerContext",
    "Task",
    "UnknownTaskError",
    "Worker",
    "WorkerContext",
    "WorkerOptions",
    "WorkerShutdownConfig",
    "WorkerUtils",
    "batch_task",
    "task",
    "task_ref",
]
