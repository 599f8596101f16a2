"""Task identifiers and the ids that stand for them in the tables."""

from __future__ import annotations

from collections.abc import Sequence

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement
from graphile_worker.queries.loader import load


def register_tasks(schema: Schema, identifiers: list[str]) -> Statement[dict[int, str]]:
    """Identifiers by id, created where missing; one created elsewhere meanwhile may be absent."""
    return Statement("register_tasks", load("register_tasks", schema), (identifiers,), _by_id)


def waiting_unknown_tasks(schema: Schema, task_ids: list[int]) -> Statement[list[str]]:
    """Tasks other than these that have due jobs, at most 20."""
    name = "waiting_unknown_tasks"
    return Statement(name, load(name, schema), (task_ids,), _identifiers)


def _by_id(rows: Sequence[Row]) -> dict[int, str]:
    return {row[0]: row[1] for row in rows}


def _identifiers(rows: Sequence[Row]) -> list[str]:
    return [row[0] for row in rows]
