"""A context to call handlers with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

from graphile_worker.client.sync_worker_utils import SyncWorkerUtils
from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.database.executor import Database, SyncDatabase
from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.claimed_job import NO_QUEUED, ClaimedJob
from graphile_worker.jobs.job import Job, JobState
from graphile_worker.payloads.codec import to_json
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.runtime.shutdown import ShutdownSignal
from graphile_worker.tasks.context import Environment, WorkerContext


def context(
    *,
    job: Job | None = None,
    payload: Any = None,
    utils: WorkerUtils | None = None,
    extensions: Iterable[object] = (),
) -> WorkerContext:
    """What an async handler is given, without a worker.

    Args:
        job: the job it runs; by default one that was just claimed for the first time.
        payload: `ctx.payload`, where no job is given.
        utils: what `ctx.add_job` and its kin use; without, they raise `ConfigurationError`.
        extensions: what `ctx.get_ext` finds.

    Example:
        await send_email.fn(SendEmail("a@example.com"), context())
    """
    job = job or _claimed_now(payload)
    environment = Environment(
        identity=WorkerIdentity(job.locked_by or "test"),
        schema="graphile_worker" if utils is None else utils.schema,
        database=_nothing,
        utils=utils or WorkerUtils(_nothing),
        extensions={type(extension): extension for extension in extensions},
        shutdown=ShutdownSignal(),
        loop=asyncio.get_running_loop(),
        sync_database=_no_sync_database,
        sync_utils=SyncWorkerUtils,
    )
    return WorkerContext(_row(job), job.task_identifier, environment)


class _Nothing:
    """Stands for the database of a context without one."""

    def _refuse(self) -> Any:
        raise ConfigurationError("this context has no database; give it one: context(utils=…)")

    run = connection = dedicated = aclose = property(_refuse)


def _no_sync_database() -> SyncDatabase:
    raise ConfigurationError("this context has no connections for threads")


_nothing = cast("Database", _Nothing())


def _claimed_now(payload: Any) -> Job:
    now = datetime.now(UTC)
    return Job(
        id=1,
        task_identifier="test",
        queue_name=None,
        payload={} if payload is None else payload,
        priority=0,
        run_at=now,
        attempts=1,
        max_attempts=25,
        last_error=None,
        key=None,
        revision=0,
        flags=frozenset(),
        created_at=now,
        updated_at=now,
        locked_at=now,
        locked_by="test",
        state=JobState.LOCKED,
    )


def _row(job: Job) -> ClaimedJob:
    return ClaimedJob(
        id=job.id,
        task_id=0,
        queue_id=None,
        payload=to_json(job.payload),
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        locked_at=(job.locked_at or job.run_at).timestamp(),
        key=job.key,
        queue_name=job.queue_name,
        priority=job.priority,
        run_at=job.run_at.timestamp(),
        last_error=job.last_error,
        revision=job.revision,
        flags=to_json(dict.fromkeys(job.flags, True)) if job.flags else None,
        created_at=job.created_at.timestamp(),
        updated_at=job.updated_at.timestamp(),
        queued=NO_QUEUED,
    )
