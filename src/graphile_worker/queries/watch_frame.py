"""All that a live view shows at one moment, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement
from graphile_worker.queries.loader import load

MOST_COUNTED: Final = 10_001
"""Due jobs, and later ones, that are counted one by one; beyond that there are at least so many."""
LOOKED_THROUGH: Final = 32 * 1024 * 1024
"""Bytes of the table of jobs that are read whole; of a larger one, both ends."""
AT_EACH_END: Final = 10_000
"""Jobs at either end of a larger table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """The jobs of one task."""

    task: str
    ready: int
    running: int
    retrying: int
    failed: int
    oldest_seconds: float | None
    """How long the first of the ready jobs has been due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLine:
    """A registered worker, or an owner of locks that is not registered."""

    worker_id: str
    host: str | None
    pid: str | None
    slots: int | None
    running: int
    silent_seconds: float | None
    """Since the last heartbeat; None: it sends none."""
    is_silent: bool
    """Whether it counts as dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """The error of a job that failed, for good or for now."""

    id: int
    task: str
    attempts: int
    max_attempts: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How the queue stands; counts that are not complete are lower bounds."""

    now: float
    """The database's clock, in seconds since 1970."""
    ready: int
    ready_complete: bool
    scheduled: int
    """To run later, those to be tried again among them."""
    scheduled_complete: bool
    running: int
    retrying: int
    failed: int
    complete: bool
    """Whether `running`, `retrying` and `failed` are of all jobs, not of the table's two ends."""
    oldest_seconds: float | None
    """How long the first of the ready jobs has been due."""
    added: int | None
    """Rows ever added, as the server's counters say; about a second late."""
    done: int | None
    """Rows ever deleted: completed jobs, by whatever worker, and those that somebody removed."""
    tasks: list[TaskLine]
    workers: list[WorkerLine]
    errors: list[ErrorLine]
    """The last ones first."""


_frame = msgspec.json.Decoder(Frame)


def watch_frame(
    schema: Schema,
    *,
    dead_after: float = 300.0,
    most_counted: int = MOST_COUNTED,
    looked_through: int = LOOKED_THROUGH,
    at_each_end: int = AT_EACH_END,
) -> Statement[Frame]:
    """How everything stands; the schema must have a registry of workers."""
    args = (
        f"{schema.quoted}._private_jobs",
        most_counted,
        looked_through,
        at_each_end,
        dead_after,
    )
    return Statement("watch_frame", load("watch_frame", schema), args, _decode)


def _decode(rows: Sequence[Row]) -> Frame:
    return _frame.decode(rows[0][0])
