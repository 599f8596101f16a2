"""What a database knows of crontabs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from graphile_worker.cli.settings import Settings
from graphile_worker.client.open_database import open_database
from graphile_worker.cron.crontab import Crontab
from graphile_worker.database.schema import Schema
from graphile_worker.migrations.state import check_schema
from graphile_worker.queries import cron

Known: TypeAlias = tuple[str, datetime | None, datetime | None, datetime | None]
"""Identifier, known since, last execution, next run."""


def known_crontabs(settings: Settings, entries: Sequence[Crontab]) -> list[Known]:
    """The entries of the database and those given, by identifier.

    Raises:
        SchemaMissingError: it was not migrated.
        DatabaseError: and its kinds: no connection, no rights.
    """
    return asyncio.run(_known(settings, entries))


async def _known(settings: Settings, entries: Sequence[Crontab]) -> list[Known]:
    database = await open_database(settings.database_url, max_connections=settings.max_connections)
    try:
        schema = Schema(settings.schema)
        await check_schema(database, schema)
        rows = {row.identifier: row for row in await database.run(cron.known_crontabs(schema))}
        now = await database.run(cron.now())
    finally:
        await database.aclose()
    given = {entry.identifier: entry for entry in entries}
    found: list[Known] = []
    for identifier in sorted(rows.keys() | given.keys()):
        row, entry = rows.get(identifier), given.get(identifier)
        since, last = (None, None) if row is None else (row.known_since, row.last_execution)
        found.append((identifier, since, last, None if entry is None else entry.first_run(now)))
    return found
