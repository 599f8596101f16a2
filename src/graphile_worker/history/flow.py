"""From PostgreSQL's counters to what went through the queue, whichever workers did it."""

from __future__ import annotations

from dataclasses import dataclass

from graphile_worker.queries.history_reading import Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What happened between two looks.

    Exact for what workers do. Jobs that an operator deleted count as completed; jobs that were
    changed by hand, replaced by their key or given back unrun count as half a failure each.
    """

    seconds: float
    enqueued: int
    completed: int
    failed_attempts: float


def flow(before: Counters, after: Counters, *, started: int = 0) -> Flow | None:
    """What happened between two looks at the counters; None: they were reset meanwhile.

    Each start of an attempt is an update, each failure another one, each completion a delete.

    Args:
        before: the earlier look.
        after: the later one.
        started: how many more jobs are running now than were before.
    """
    inserted = after.inserted - before.inserted
    updated = after.updated - before.updated
    deleted = after.deleted - before.deleted
    if before.stats_reset != after.stats_reset or min(inserted, updated, deleted) < 0:
        return None
    return Flow(
        seconds=(after.at - before.at).total_seconds(),
        enqueued=inserted,
        completed=deleted,
        failed_attempts=max(0.0, (updated - deleted - started) / 2),
    )
