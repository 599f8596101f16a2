"""Who did what: a line in the log for every change, and for every secret that was looked at."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from graphile_worker.admin.service.audit_table import AuditTable
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.audit import AuditEntry

__all__ = ["Audit", "AuditEntry", "AuditPage", "OnAction"]

KEPT: Final = 1_000
"""Entries that a process remembers."""

logger = logging.getLogger(__name__)

OnAction: TypeAlias = Callable[[AuditEntry], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """What was done, the last thing first."""

    entries: list[AuditEntry]
    is_kept: bool
    """Whether these are from the database: False is what this process remembers."""


class Audit:
    """Tells of what was done, in the log `graphile_worker.admin.service.audit`.

    Args:
        on_action: told too, after it was done; what it raises is logged.
        table: where entries are kept, too; None: nowhere.
        schema: in which things are done.
        writes: False only reads the table: nothing may be written.
    """

    def __init__(
        self,
        on_action: OnAction | None = None,
        table: AuditTable | None = None,
        *,
        schema: str = "",
        writes: bool = True,
    ) -> None:
        self._on_action = on_action
        self._table = table
        self._schema = schema
        self._writes = writes
        self._recent: deque[AuditEntry] = deque(maxlen=KEPT)

    def recent(self) -> list[AuditEntry]:
        """The newest of what this process has heard, the last one first."""
        return list(reversed(self._recent))

    async def page(self, *, limit: int, before: int | None = None) -> AuditPage:
        """The newest entries, of all processes where they are kept in the database.

        Args:
            limit: at most so many.
            before: the number of the last entry of the page before.
        """
        if self._table is not None:
            kept = await self._table.entries(limit=limit, before=before)
            if kept is not None:
                return AuditPage(entries=kept, is_kept=True)
        return AuditPage(entries=self.recent()[:limit], is_kept=False)

    async def tell(
        self,
        actor: str,
        action: str,
        target: Mapping[str, Any],
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell that somebody did something. It was done, so nothing is raised here."""
        entry = AuditEntry(
            at=datetime.now(UTC),
            schema=self._schema,
            actor=actor,
            action=action,
            target=target,
            result=result or {},
        )
        self._recent.append(entry)
        logger.info(
            "%s: %s %s: %s",
            _plain(actor),
            action,
            json.dumps(target, default=str),
            json.dumps(entry.result, default=str),
        )
        if self._table is not None and self._writes:
            try:
                await self._table.add(entry)
            except DatabaseError as error:
                logger.warning("the entry above is not in the table of the audit: %s", error)
        if self._on_action is None:
            return
        try:
            await self._on_action(entry)
        except Exception:
            logger.exception("on_action failed for %s", action)


def _plain(text: str) -> str:
    """A name that cannot break a line of the log."""
    return json.dumps(text)[1:-1]
