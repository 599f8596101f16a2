"""What is paused: named queues, for every worker; tasks, cron entries and all, for Python ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import (
    Row,
    Statement,
    first_column,
    is_true,
    nothing,
    value_if_any,
)
from graphile_worker.queries.loader import load

PAUSES: Final = "_gwx_pause"
"""The side table."""

CHANNEL: Final = "graphile_worker:pause"
"""Workers hear there, with the name of the schema, that something was paused or resumed."""

NOBODYS: Final = ("paused:", "resuming:")
"""How the owner of a queue begins that no worker holds."""

_LOCK: Final = 0x47575051 + 1
"""Of advisory locks, the first key; next to the one of the queue's watcher."""

Kind: TypeAlias = Literal["all", "task", "cron"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Something that the Python workers leave alone."""

    name: str
    """Of the task or the cron entry; empty for the pause of everything."""
    paused_by: str
    """Who did it; empty when nobody said."""
    paused_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedQueue:
    """A named queue from which no worker takes jobs."""

    queue_name: str
    paused_by: str
    """Who paused it, or resumed it; empty when nobody said."""
    is_resuming: bool
    """Whether it goes on by itself as soon as `running` have ended."""
    running: list[int]
    """The ids of its jobs that were running when it was paused, and still are; one, at most,
    unless somebody unlocked the queue by hand."""


@dataclass(frozen=True, slots=True)
class PauseRow:
    """A row of the side table; not paused any more, if it was resumed."""

    kind: Kind
    pause: Pause
    resumed_at: datetime | None


def pause(schema: Schema, kind: Kind, name: str, by: str) -> Statement[Pause]:
    """Pause it; the side table must be there."""
    return Statement("pause", load("pauses/pause", schema), (kind, name, by), _pause)


def resume(schema: Schema, kind: Kind, name: str) -> Statement[bool]:
    """Resume it; whether it was paused."""
    return Statement("resume", load("pauses/resume", schema), (kind, name), bool)


def pause_rows(schema: Schema) -> Statement[list[PauseRow]]:
    """All that is or was paused; the side table must be there."""
    return Statement("pause_rows", load("pauses/list", schema), (), _rows)


def pause_overview(schema: Schema) -> Statement[tuple[bool, bool]]:
    """Whether the side table is there, and whether a queue waits to be resumed."""
    args = (f"{schema.quoted}.{PAUSES}",)
    return Statement("pause_overview", load("pauses/overview", schema), args, _overview)


def announce_pauses(schema: Schema) -> Statement[None]:
    """Tell the Python workers to look."""
    return Statement("announce_pauses", load("pauses/announce", schema), (schema.name,), nothing)


def announce_jobs(schema: Schema, count: int) -> Statement[None]:
    """Tell all workers, of whatever kind, that there may be so many jobs."""
    return Statement("announce_jobs", load("pauses/announce_jobs", schema), (count,), nothing)


def pause_queue(schema: Schema, queue_name: str, by: str) -> Statement[None]:
    """Let no worker take jobs of this queue, which is made where it is missing."""
    name = "pauses/pause_queue"
    return Statement("pause_queue", load(name, schema), (queue_name, by), nothing)


def lock_paused_queues(schema: Schema) -> Statement[None]:
    """Be the one who resumes queues, to the end of the transaction."""
    args = (_LOCK, schema.name)
    return Statement("lock_paused_queues", load("pauses/lock_queues", schema), args, nothing)


def try_lock_paused_queues(schema: Schema) -> Statement[bool]:
    """The same; False where somebody else is at it."""
    args = (_LOCK, schema.name)
    return Statement(
        "try_lock_paused_queues", load("pauses/try_lock_queues", schema), args, is_true
    )


def resume_queue(schema: Schema, queue_name: str, by: str) -> Statement[bool | None]:
    """Free a queue that is paused, after `lock_paused_queues`.

    Returns:
        Whether it waits for a job of its that is still running; None: it was not paused.
    """
    args = (queue_name, by)
    return Statement("resume_queue", load("pauses/resume_queue", schema), args, value_if_any)


def finish_resuming(schema: Schema) -> Statement[list[str]]:
    """Free the queues that waited for a job that is gone, after `try_lock_paused_queues`."""
    return Statement("finish_resuming", load("pauses/finish_resuming", schema), (), first_column)


def paused_queues(schema: Schema, queue_name: str | None = None) -> Statement[list[PausedQueue]]:
    """The queues that are paused, by name; or this one, if it is."""
    name = "pauses/paused_queues"
    return Statement("paused_queues", load(name, schema), (queue_name,), _queues)


def _pause(rows: Sequence[Row]) -> Pause:
    _, name, by, at = rows[0]
    return Pause(name=name, paused_by=by, paused_at=at)


def _rows(rows: Sequence[Row]) -> list[PauseRow]:
    return [
        PauseRow(kind, Pause(name=name, paused_by=by, paused_at=at), resumed_at)
        for kind, name, by, at, resumed_at in rows
    ]


def _overview(rows: Sequence[Row]) -> tuple[bool, bool]:
    return rows[0][0], rows[0][1]


def _queues(rows: Sequence[Row]) -> list[PausedQueue]:
    return [
        PausedQueue(queue_name=name, paused_by=by, is_resuming=resuming, running=list(running))
        for name, by, resuming, running in rows
    ]
