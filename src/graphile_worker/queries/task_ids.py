"""Task identifiers and the ids that stand for them in the tables."""

from __future__ import annotations

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement, by_first_column, first_column
from graphile_worker.queries.loader import load


def register_tasks(schema: Schema, identifiers: list[str]) -> Statement[dict[int, str]]:
    """Identifiers by id, created where missing; one created elsewhere meanwhile may be absent."""
    return Statement(
        "register_tasks", load("register_tasks", schema), (identifiers,), by_first_column
    )


def waiting_unknown_tasks(schema: Schema, task_ids: list[int]) -> Statement[list[str]]:
    """Tasks other than these that have due jobs, at most 20."""
    name = "waiting_unknown_tasks"
    return Statement(name, load(name, schema), (task_ids,), first_column)
