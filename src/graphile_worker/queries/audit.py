"""What people did by the admin page and its API, in a side table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, nothing, only_value
from graphile_worker.queries.loader import load

AUDIT: Final = "_gwx_audit"
"""The side table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that somebody did."""

    id: int | None = None
    """Its number in the table; None where it is in the memory of a process only."""
    at: datetime
    schema: str = ""
    """In which it was done."""
    actor: str
    action: str
    target: Mapping[str, Any]
    """Which jobs, queue, workers: ids or the filter."""
    result: Mapping[str, Any]
    """How many were changed, skipped, missing; or the error."""


def add_audit_entry(schema: Schema, entry: AuditEntry) -> Statement[int]:
    """Write an entry down; answers with its number. The table must be there."""
    target, result = (json.dumps(value, default=str) for value in (entry.target, entry.result))
    args = (entry.at, entry.actor.replace("\0", ""), entry.action, target, result)
    return Statement("add_audit_entry", load("audit/add", schema), args, only_value)


def audit_entries(schema: Schema, *, limit: int, before: int | None) -> Statement[list[AuditEntry]]:
    """The newest entries first; before this number. The table must be there."""
    return Statement(
        "audit_entries", load("audit/list", schema), (limit, before), partial(_entries, schema.name)
    )


def prune_audit(schema: Schema, *, days: int) -> Statement[None]:
    """Forget old entries. The table must be there."""
    return Statement("prune_audit", load("audit/prune", schema), (days,), nothing)


def _entries(schema: str, rows: Sequence[Row]) -> list[AuditEntry]:
    return [
        AuditEntry(
            id=id_,
            at=at,
            schema=schema,
            actor=actor,
            action=action,
            target=json.loads(target),
            result=json.loads(result),
        )
        for id_, at, actor, action, target, result in rows
    ]
