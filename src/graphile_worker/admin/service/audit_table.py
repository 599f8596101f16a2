"""The audit in the database, where it outlives processes and is one for all of them."""

from __future__ import annotations

from typing import Final

from graphile_worker.admin.service.sessions import Sessions
from graphile_worker.client.operations import side_tables
from graphile_worker.database.operation import Operation, ask, perform
from graphile_worker.database.schema import Schema
from graphile_worker.queries.audit import (
    AUDIT,
    AuditEntry,
    add_audit_entry,
    audit_entries,
    prune_audit,
)
from graphile_worker.queries.side_tables import Feature, table_exists

FEATURE: Final = Feature("audit", 1, {})
"""What the ledger of side tables says of it."""
KEPT_DAYS: Final = 400
_PRUNED_EVERY: Final = 1_000
"""Entries."""


class AuditTable:
    """Keeps entries in `_gwx_audit`, where that is there.

    Args:
        sessions: the database.
        makes_table: whether to make it with the first entry.
    """

    def __init__(self, sessions: Sessions, *, makes_table: bool) -> None:
        self._sessions = sessions
        self._makes_table = makes_table

    async def add(self, entry: AuditEntry) -> None:
        """Write an entry down; nothing is done where there is no table, and none is made."""
        async with self._sessions.changing() as connection:
            await perform(connection, _add(self._sessions.schema, entry, make=self._makes_table))

    async def entries(self, *, limit: int, before: int | None = None) -> list[AuditEntry] | None:
        """The newest entries first; None where there is no table."""
        async with self._sessions.reading() as connection:
            if not await connection.run(table_exists(self._sessions.schema, AUDIT)):
                return None
            statement = audit_entries(self._sessions.schema, limit=limit, before=before)
            return await connection.run(statement)


def _add(schema: Schema, entry: AuditEntry, *, make: bool) -> Operation[None]:
    if not (yield from ask(table_exists(schema, AUDIT))):
        if not make:
            return
        yield from side_tables.install(schema, FEATURE, ["audit/create"])
    number = yield from ask(add_audit_entry(schema, entry))
    if number % _PRUNED_EVERY == 0:
        yield from ask(prune_audit(schema, days=KEPT_DAYS))
