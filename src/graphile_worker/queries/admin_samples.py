"""What the admin page counts: everything in one pass, and a pulse that costs next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, first_column, nothing
from graphile_worker.jobs.stored import aware
from graphile_worker.queries.admin_jobs import whole
from graphile_worker.queries.loader import load

READY_CAP: Final = 10_001
"""A pulse counts ready jobs up to here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobGroup:
    """Jobs of one task, queue, owner and coarse state."""

    task: str
    queue: str | None
    queue_locked_by: str | None
    queue_locked_at: datetime | None
    locked_by: str | None
    state: str
    """`locked`, `failed`, `ready`, `retrying` or `scheduled`."""
    jobs: int
    overdue: int
    """Due, and there, for more than a minute."""
    soon: int
    """Due within an hour, or before."""
    recent: int
    """Failed for good within the last hour."""
    old_locks: int
    """Locked for more than four hours."""
    first_run_at: datetime
    first_locked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The table of jobs at one moment, by what is free to know."""

    at: datetime
    inserted: int | None
    """Rows ever inserted, by PostgreSQL's statistics; None where it keeps none."""
    updated: int | None
    deleted: int | None
    stats_reset: datetime | None
    """Since when it counts; the counts before and after are not comparable."""
    ready: int
    """Due jobs, up to `READY_CAP`."""
    oldest_run_at: datetime | None
    """Since when the job that waits longest is due."""
    rows_are_hidden: bool
    """Whether row level security keeps jobs from this role: then all counts are too low."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Jobs that failed in the same way."""

    task: str
    fingerprint: str
    failed: int
    """Of them for good."""
    retrying: int
    first_at: datetime
    last_at: datetime
    first_id: int
    last_id: int
    ids: list[int]
    """Up to five, the newest first."""
    seconds_ago: list[float]
    """When each failed, in seconds before the sample; of at most a thousand."""
    sample: str
    """The error of the newest, at most 2,000 characters."""
    searched: int
    """How many jobs with an error were looked at for all groups together."""


@dataclass(frozen=True, slots=True)
class QueueLock:
    """A queue, and who keeps it locked."""

    queue: str
    locked_at: datetime | None
    locked_by: str | None


@dataclass(frozen=True, slots=True)
class Holder:
    """The job that keeps a queue locked."""

    job_id: int
    task: str
    locked_at: datetime
    locked_by: str | None


@dataclass(frozen=True, slots=True)
class Some:
    """The first jobs of a kind, in its order."""

    ids: list[int]
    jobs: int
    """How many there are of the kind."""

    @property
    def are_all(self) -> bool:
        """Whether there are no others."""
        return len(self.ids) >= self.jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The jobs that no index finds."""

    locked: Some
    """Those locked longest first."""
    retrying: Some
    """The next first."""
    failed: Some
    """The newest first, as are the next."""
    with_error: Some
    """That have failed, and that no worker holds."""


def settle(*, read_only: bool, milliseconds: int) -> Statement[None]:
    """Set the transaction up: what it may, and how long a statement of it may take."""
    name = "admin_settle"
    return Statement(name, load(name, _ANY), (read_only, milliseconds), nothing)


def groups(schema: Schema) -> Statement[list[JobGroup]]:
    """All jobs, counted; reads the whole table."""
    return Statement("admin_groups", load("admin_groups", schema), (), _groups)


def pulse(schema: Schema) -> Statement[Pulse]:
    """What is free to know of the table of jobs."""
    args = (f"{schema.quoted}._private_jobs", READY_CAP)
    return Statement("admin_pulse", whole("admin_pulse", schema), args, _pulse)


def failures(
    schema: Schema, *, scope: int, task: str | None, limit: int, among: Sequence[int] | None = None
) -> Statement[list[FailureGroup]]:
    """Kinds of errors, of the newest `scope` jobs that have one; the most frequent first.

    `among` are the only jobs that are looked at; None for all.
    """
    args = (scope, task, limit, None if among is None else list(among))
    return Statement("admin_failures", whole("admin_failures", schema), args, _failures)


def forward_load(schema: Schema, *, seconds: float, spans: int) -> Statement[list[int]]:
    """How many jobs are due in each of the next spans from now."""
    name = "admin_forward_load"
    return Statement(name, whole(name, schema), (seconds, spans), partial(_spans, spans))


def queue_locks(schema: Schema, *, limit: int) -> Statement[list[QueueLock]]:
    """Queues, up to `limit`: those that are held first, then by name."""
    return Statement("admin_idle_queues", load("admin_idle_queues", schema), (limit,), _locks)


def queue_holder(
    schema: Schema, queue: str, *, among: Sequence[int] | None = None
) -> Statement[Holder | None]:
    """The running job of a queue; None when none runs, or none `among` these jobs."""
    args = (queue, None if among is None else list(among))
    return Statement("admin_queue_holder", load("admin_queue_holder", schema), args, _holder)


def tried(schema: Schema, *, limit: int) -> Statement[Tried]:
    """The jobs that no index finds, up to `limit` of each kind; reads the whole table."""
    return Statement("admin_tried", load("admin_tried", schema), (limit,), _tried)


def known_tasks(schema: Schema, *, limit: int) -> Statement[list[str]]:
    """Identifiers of tasks, by name."""
    return Statement("admin_known_tasks", load("admin_known_tasks", schema), (limit,), first_column)


_ANY: Final = Schema("any")
"""For statements that name no table."""


def _groups(rows: Sequence[Row]) -> list[JobGroup]:
    return [
        JobGroup(
            task=task,
            queue=queue,
            queue_locked_by=queue_locked_by,
            queue_locked_at=queue_locked_at,
            locked_by=locked_by,
            state=state,
            jobs=jobs,
            overdue=overdue,
            soon=soon,
            recent=recent,
            old_locks=old_locks,
            first_run_at=aware(first_run_at),
            first_locked_at=first_locked_at,
        )
        for (
            task,
            queue,
            queue_locked_by,
            queue_locked_at,
            locked_by,
            state,
            jobs,
            overdue,
            soon,
            recent,
            old_locks,
            first_run_at,
            first_locked_at,
        ) in rows
    ]


def _pulse(rows: Sequence[Row]) -> Pulse:
    at, inserted, updated, deleted, stats_reset, ready, oldest, hidden = rows[0]
    return Pulse(
        at=at,
        inserted=inserted,
        updated=updated,
        deleted=deleted,
        stats_reset=stats_reset,
        ready=ready,
        oldest_run_at=None if oldest is None else aware(oldest),
        rows_are_hidden=hidden,
    )


def _failures(rows: Sequence[Row]) -> list[FailureGroup]:
    return [
        FailureGroup(
            task=task,
            fingerprint=fingerprint,
            failed=failed,
            retrying=retrying,
            first_at=aware(first_at),
            last_at=aware(last_at),
            first_id=first_id,
            last_id=last_id,
            ids=list(ids),
            seconds_ago=list(seconds),
            sample=sample,
            searched=int(searched),
        )
        for (
            task,
            fingerprint,
            failed,
            retrying,
            first_at,
            last_at,
            first_id,
            last_id,
            ids,
            seconds,
            sample,
            searched,
        ) in rows
    ]


def _spans(spans: int, rows: Sequence[Row]) -> list[int]:
    counts: dict[int, int] = {row[0]: row[1] for row in rows}
    return [counts.get(span, 0) for span in range(spans)]


def _locks(rows: Sequence[Row]) -> list[QueueLock]:
    return [QueueLock(queue, locked_at, locked_by) for queue, locked_at, locked_by in rows]


def _holder(rows: Sequence[Row]) -> Holder | None:
    return Holder(*rows[0]) if rows else None


def _tried(rows: Sequence[Row]) -> Tried:
    return Tried(**{kind: Some(list(ids), jobs) for kind, jobs, ids in rows})
