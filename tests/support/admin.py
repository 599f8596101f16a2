"""The service layer of the admin page, over a test's database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from graphile_worker.admin.service.audit import Audit, AuditEntry
from graphile_worker.admin.service.changing import Changing
from graphile_worker.admin.service.reading import Reading, ReadingOptions
from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.service.sessions import Sessions
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect


class Service:
    """Both halves, and what the audit heard."""

    def __init__(self, sessions: Sessions, options: ReadingOptions) -> None:
        self.sessions = sessions
        self.heard: list[AuditEntry] = []
        self.reading = Reading(sessions, options)
        self.changing = Changing(sessions, self.reading, Audit(self._hear))

    async def _hear(self, entry: AuditEntry) -> None:
        self.heard.append(entry)


@asynccontextmanager
async def service(url: str, **options: Any) -> AsyncIterator[Service]:
    """Closed at the end."""
    sessions = Sessions(lambda: connect(url, max_connections=4), Schema("graphile_worker"))
    made = Service(sessions, ReadingOptions(redactor=Redactor(), **options))
    try:
        yield made
    finally:
        await made.changing.aclose()
        await made.reading.aclose()
        await sessions.aclose()
