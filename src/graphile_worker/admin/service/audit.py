"""Who did what: a line in the log for every change, and for every secret that was looked at."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

KEPT: Final = 1_000
"""Entries that a process remembers."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that somebody did."""

    at: datetime
    actor: str
    action: str
    target: Mapping[str, Any]
    """Which jobs, queue, workers: ids or the filter."""
    result: Mapping[str, Any]
    """How many were changed, skipped, missing; or the error."""


OnAction: TypeAlias = Callable[[AuditEntry], Awaitable[None]]


class Audit:
    """Tells of what was done, in the log `graphile_worker.admin.service.audit`.

    Args:
        on_action: told too, after it was done; what it raises is logged.
    """

    def __init__(self, on_action: OnAction | None = None) -> None:
        self._on_action = on_action
        self._recent: deque[AuditEntry] = deque(maxlen=KEPT)

    def recent(self) -> list[AuditEntry]:
        """The newest of what this process has heard, the last one first."""
        return list(reversed(self._recent))

    async def tell(
        self,
        actor: str,
        action: str,
        target: Mapping[str, Any],
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell that somebody did something."""
        entry = AuditEntry(
            at=datetime.now(UTC), actor=actor, action=action, target=target, result=result or {}
        )
        self._recent.append(entry)
        logger.info(
            "%s: %s %s: %s",
            _plain(actor),
            action,
            json.dumps(target, default=str),
            json.dumps(entry.result, default=str),
        )
        if self._on_action is None:
            return
        try:
            await self._on_action(entry)
        except Exception:
            logger.exception("on_action failed for %s", action)


def _plain(text: str) -> str:
    """A name that cannot break a line of the log."""
    return json.dumps(text)[1:-1]
