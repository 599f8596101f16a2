"""Delete what nobody needs any more."""

from __future__ import annotations

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement, nothing, only_value
from graphile_worker.queries.loader import load


def limit_lock_waits(schema: Schema, milliseconds: int) -> Statement[None]:
    """Bound every wait for a lock in this transaction; SQLSTATE 55P03 after that."""
    args = (f"{milliseconds}ms",)
    return Statement("limit_lock_waits", load("limit_lock_waits", schema), args, nothing)


def lock_tasks(schema: Schema) -> Statement[None]:
    """Keep others from adding jobs until the end of the transaction."""
    return Statement("lock_tasks", load("lock_tasks", schema), (), nothing)


def lock_queues(schema: Schema) -> Statement[None]:
    """Keep others from adding jobs, and from taking those of queues, as above."""
    return Statement("lock_queues", load("lock_queues", schema), (), nothing)


def delete_unused_tasks(schema: Schema, *, keep: list[str]) -> Statement[int]:
    """Delete task identifiers without jobs; after `lock_tasks`."""
    name = "delete_unused_tasks"
    return Statement(name, load(name, schema), (keep,), only_value)


def delete_unused_queues(schema: Schema) -> Statement[int]:
    """Delete queues without jobs; after `lock_queues`."""
    name = "delete_unused_queues"
    return Statement(name, load(name, schema), (), only_value)


def delete_failed_jobs(schema: Schema) -> Statement[int]:
    """Delete jobs that have failed for good."""
    return Statement("delete_failed_jobs", load("delete_failed_jobs", schema), (), only_value)


def count_unused_tasks(
    schema: Schema, *, keep: list[str], without_failed_jobs: bool
) -> Statement[int]:
    """How many identifiers `delete_unused_tasks` would delete, perhaps after failed jobs."""
    name = "count_unused_tasks"
    return Statement(name, load(name, schema), (keep, without_failed_jobs), only_value)


def count_unused_queues(schema: Schema, *, without_failed_jobs: bool) -> Statement[int]:
    """How many queues `delete_unused_queues` would delete, perhaps after failed jobs."""
    name = "count_unused_queues"
    return Statement(name, load(name, schema), (without_failed_jobs,), only_value)
