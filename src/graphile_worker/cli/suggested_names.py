"""Names in a database, for completion in a shell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from graphile_worker.cli.database import with_utils
from graphile_worker.cli.settings import Settings
from graphile_worker.client.open_database import open_database
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.queries import overview


def tasks(settings: Settings, beginning: str) -> list[str]:
    """Identifiers of tasks that begin so."""
    return _names(settings, lambda schema: overview.task_identifiers(schema, beginning))


def queues(settings: Settings, beginning: str) -> list[str]:
    """Names of queues that begin so."""
    return _names(settings, lambda schema: overview.queue_names(schema, beginning))


def worker_ids(settings: Settings, beginning: str) -> list[str]:
    """Ids of workers that hold locks and begin so."""
    if _is_embedded(settings):
        return []
    holders = with_utils(settings, lambda utils: utils.locked_workers())
    return [holder.worker_id for holder in holders if holder.worker_id.startswith(beginning)]


def _names(settings: Settings, statement: Callable[[Schema], Statement[list[str]]]) -> list[str]:
    async def ask() -> list[str]:
        database = await open_database(settings.database_url, max_connections=1)
        try:
            return await database.run(statement(Schema(settings.schema)))
        finally:
            await database.aclose()

    return [] if _is_embedded(settings) else asyncio.run(ask())


def _is_embedded(settings: Settings) -> bool:
    """A server would have to be started first, which no press of a key should do."""
    return (settings.database_url or "").lower().startswith("embedded:")
