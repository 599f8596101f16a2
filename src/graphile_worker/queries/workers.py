"""Workers: who is alive, who is not, and the jobs of those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import (
    Row,
    Statement,
    first_column,
    is_true,
    nothing,
    value_if_any,
)
from graphile_worker.jobs.job import Job
from graphile_worker.queries.loader import load
from graphile_worker.queries.rows import jobs_of

RECOVERED: Final = "Job recovered after worker interruption"
"""The `last_error` of a job that was cut off, in every implementation."""


@dataclass(frozen=True, slots=True)
class RecoveredJob:
    """A job that a sweep freed."""

    id: int
    attempts: int
    max_attempts: int
    times: int
    """How many workers in a row died with it, this one included."""
    is_spent: bool
    """Whether that were too many, so that the attempt counts."""
    task_identifier: str | None


@dataclass(frozen=True, slots=True)
class ToldJob:
    """What to do with one job: `action` 0 give it back, 1 fail it, 2 reschedule it."""

    job: Job
    action: int
    run_at: datetime | None
    attempts: int | None


def register_worker(schema: Schema, worker_id: str, metadata: str) -> Statement[datetime | None]:
    """Register a worker, with metadata as JSON; answers with the database's time."""
    args = (worker_id, metadata)
    return Statement("register_worker", load("register_worker", schema), args, value_if_any)


def heartbeat(schema: Schema, worker_id: str) -> Statement[datetime | None]:
    """Say that a worker is alive; None: it was swept, and is nobody."""
    return Statement("heartbeat", load("heartbeat", schema), (worker_id, None), value_if_any)


def deregister_worker(schema: Schema, worker_id: str) -> Statement[None]:
    """Take a worker out of the table; its locks stay."""
    return Statement("deregister_worker", load("deregister_worker", schema), (worker_id,), nothing)


def limit_idle_time(schema: Schema, milliseconds: int) -> Statement[None]:
    """Bound the time between two statements of this transaction; 0 is no bound."""
    args = (f"{milliseconds}ms",)
    return Statement("limit_idle_time", load("limit_idle_time", schema), args, nothing)


def lock_sweep(schema: Schema) -> Statement[bool]:
    """Become the one who sweeps in this transaction; False when somebody else does."""
    return Statement("lock_sweep", load("lock_sweep", schema), (), is_true)


def server_times(schema: Schema) -> Statement[tuple[datetime, datetime]]:
    """The database's time, and since when its server has been running."""
    return Statement("server_times", load("server_times", schema), (), _times)


def find_dead_workers(
    schema: Schema,
    *,
    sweeper_id: str,
    threshold: float,
    resilient_threshold: float,
    resilient_flags: list[str],
    orphans: bool,
    own_prefix: str,
    look_for_unregistered: bool,
) -> Statement[list[str]]:
    """Ids of workers that count as dead; see the SQL file for the rules."""
    args = (
        sweeper_id,
        threshold,
        resilient_threshold,
        resilient_flags,
        orphans,
        own_prefix,
        look_for_unregistered,
    )
    return Statement("find_dead_workers", load("find_dead_workers", schema), args, _ids)


def locked_jobs_of(
    schema: Schema, worker_ids: list[str], *, threshold: float
) -> Statement[list[Job]]:
    """The jobs of dead workers that `recover_jobs` would free."""
    args = (worker_ids, threshold)
    return Statement("locked_jobs_of", load("locked_jobs_of", schema), args, jobs_of)


def recover_jobs(
    schema: Schema,
    worker_ids: list[str],
    *,
    threshold: float,
    delay: float,
    max_refunds: int,
    failed: str,
    told: Sequence[ToldJob] | None = None,
) -> Statement[list[RecoveredJob]]:
    """Free jobs of dead workers: all of them, or those told, as told.

    Args:
        schema: where the tables are.
        worker_ids: the dead workers.
        threshold: seconds that a lock has to be old, where its owner is not registered.
        delay: seconds until the jobs may run again.
        max_refunds: deaths in a row that cost a job nothing.
        failed: the `last_error` of those told to fail.
        told: the jobs as they were seen; one that changed hands meanwhile is left alone.
    """
    args = (
        worker_ids,
        delay,
        max_refunds,
        RECOVERED,
        None if told is None else [one.job.id for one in told],
        None if told is None else [one.job.locked_at for one in told],
        None if told is None else [one.action for one in told],
        None if told is None else [one.run_at for one in told],
        None if told is None else [one.attempts for one in told],
        failed,
        threshold,
    )
    return Statement("recover_jobs", load("recover_jobs", schema), args, _recovered)


def unlock_queues_of(schema: Schema, worker_ids: list[str], *, threshold: float) -> Statement[None]:
    """Free the queues of dead workers; `threshold` as for `recover_jobs`."""
    args = (worker_ids, threshold)
    return Statement("unlock_queues_of", load("unlock_queues_of", schema), args, nothing)


def forget_workers(schema: Schema, worker_ids: list[str]) -> Statement[None]:
    """Delete workers of whom nothing is locked any more, and mark the others as swept."""
    return Statement("forget_workers", load("forget_workers", schema), (worker_ids,), nothing)


def reset_old_locks(schema: Schema, *, threshold: float) -> Statement[list[int]]:
    """Free what is locked for hours by nobody that is alive; answers with the ids of the jobs."""
    return Statement("reset_old_locks", load("reset_old_locks", schema), (threshold,), first_column)


def _times(rows: Sequence[Row]) -> tuple[datetime, datetime]:
    now, started = rows[0]
    return now, started


def _ids(rows: Sequence[Row]) -> list[str]:
    return sorted(row[0] for row in rows)


def _recovered(rows: Sequence[Row]) -> list[RecoveredJob]:
    return [RecoveredJob(*row) for row in rows]
