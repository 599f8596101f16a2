"""Tell others of queues that are free again."""

from __future__ import annotations

from datetime import datetime

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement, nothing
from graphile_worker.queries.loader import load


def announce_freed_queues(
    schema: Schema, *, queue_ids: list[int], by_index: bool, now: datetime | None
) -> Statement[None]:
    """Notify all workers if one of these queues is free and has a due job.

    Args:
        schema: where the tables are.
        queue_ids: queues that this worker unlocked.
        by_index: whether our index is there; without, a free queue is announced unseen.
        now: a clock of the caller's, or None for the database's.
    """
    name = "announce_freed_queues"
    return Statement(name, load(name, schema), (queue_ids, by_index, now), nothing)
