"""Who holds what: queues, owners of locks, registered workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, first_column, is_true
from graphile_worker.jobs.stored import payload_of
from graphile_worker.queries.loader import load


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueue:
    """A named queue; its jobs run one after the other."""

    id: int
    queue_name: str
    job_count: int
    """All jobs in it, whatever their state."""
    ready_count: int
    """Those that are due."""
    locked_at: datetime | None
    locked_by: str | None
    """The worker that runs a job of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedWorker:
    """An owner of locks, registered or not; workers of other implementations are among them."""

    worker_id: str
    locked_jobs: int
    locked_queues: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveWorker:
    """A worker that registered itself and tells that it lives from time to time."""

    worker_id: str
    last_heartbeat_at: datetime
    started_at: datetime
    metadata: Any
    """What it tells about itself, as JSON; None when nothing."""
    is_stale: bool
    """Whether it has been silent for longer than the threshold."""


def job_queues(schema: Schema) -> Statement[list[JobQueue]]:
    """All named queues, by name."""
    return Statement("job_queues", load("job_queues", schema), (), _queues)


def locked_workers(schema: Schema) -> Statement[list[LockedWorker]]:
    """All owners of locks, by id."""
    return Statement("locked_workers", load("locked_workers", schema), (), _locked_workers)


def active_workers(schema: Schema, *, threshold: timedelta) -> Statement[list[ActiveWorker]]:
    """All registered workers; the schema must have a registry."""
    args = (threshold.total_seconds(),)
    return Statement("active_workers", load("active_workers", schema), args, _active_workers)


def has_registry(schema: Schema) -> Statement[bool]:
    """Whether workers can register themselves in this schema."""
    args = (f"{schema.quoted}._private_workers",)
    return Statement("has_registry", load("has_registry", schema), args, is_true)


def task_identifiers(schema: Schema, beginning: str) -> Statement[list[str]]:
    """Identifiers of tasks that begin so, in order, 100 at most."""
    name = "task_identifiers"
    return Statement(name, load(name, schema), (beginning,), first_column)


def queue_names(schema: Schema, beginning: str) -> Statement[list[str]]:
    """Names of queues that begin so, in order, 100 at most."""
    return Statement("queue_names", load("queue_names", schema), (beginning,), first_column)


def _queues(rows: Sequence[Row]) -> list[JobQueue]:
    return [
        JobQueue(
            id=id_,
            queue_name=queue_name,
            job_count=job_count,
            ready_count=ready_count,
            locked_at=locked_at,
            locked_by=locked_by,
        )
        for id_, queue_name, job_count, ready_count, locked_at, locked_by in rows
    ]


def _locked_workers(rows: Sequence[Row]) -> list[LockedWorker]:
    return [
        LockedWorker(worker_id=worker_id, locked_jobs=jobs, locked_queues=queues)
        for worker_id, jobs, queues in rows
    ]


def _active_workers(rows: Sequence[Row]) -> list[ActiveWorker]:
    return [
        ActiveWorker(
            worker_id=worker_id,
            last_heartbeat_at=last_heartbeat_at,
            started_at=started_at,
            metadata=None if metadata is None else payload_of(metadata),
            is_stale=is_stale,
        )
        for worker_id, last_heartbeat_at, started_at, metadata, is_stale in rows
    ]
