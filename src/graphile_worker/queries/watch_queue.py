"""A look at the whole queue, by one process of all those that would like to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, first_column, is_true
from graphile_worker.queries.loader import load

_LOCK: Final = 0x47575051
"""Of advisory locks, the first key: "GWPQ"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReading:
    """How the queue stands; ages in seconds, on the database's clock."""

    ready: int
    scheduled: int
    locked: int
    failed: int
    oldest_ready: float
    """How long the first of the ready jobs has been due; 0 when there is none."""
    oldest_transaction: float
    """How long the transaction has been open that keeps vacuum from what was deleted since."""


def queue_reading(schema: Schema) -> Statement[QueueReading]:
    """Counts and ages."""
    return Statement("queue_reading", load("queue_reading", schema), (), _reading)


def unserved_tasks(schema: Schema, *, due_for: float) -> Statement[list[str]]:
    """Tasks with jobs that no running worker knows, as far as workers say what they know."""
    return Statement("unserved_tasks", load("unserved_tasks", schema), (due_for,), first_column)


def watcher_exists(schema: Schema) -> Statement[bool]:
    """Whether some session is the watcher of this schema."""
    args = (_LOCK, schema.name)
    return Statement("watcher_exists", load("watcher_exists", schema), args, is_true)


def become_watcher(schema: Schema) -> Statement[bool]:
    """Make this session the watcher, as long as it lives; False: another one is."""
    args = (_LOCK, schema.name)
    return Statement("become_watcher", load("become_watcher", schema), args, is_true)


def _reading(rows: Sequence[Row]) -> QueueReading:
    ready, scheduled, locked, failed, oldest_ready, oldest_transaction = rows[0]
    return QueueReading(
        ready=ready,
        scheduled=scheduled,
        locked=locked,
        failed=failed,
        oldest_ready=oldest_ready,
        oldest_transaction=oldest_transaction,
    )
