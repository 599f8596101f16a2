"""Names in a database, for completion in a shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from graphile_worker.cli.database import ask_database
from graphile_worker.cli.settings import Settings
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.queries import overview

T = TypeVar("T")


def tasks(settings: Settings, beginning: str) -> list[str]:
    """Identifiers of tasks that begin so."""
    return _ask(settings, lambda schema: overview.task_identifiers(schema, beginning))


def queues(settings: Settings, beginning: str) -> list[str]:
    """Names of queues that begin so."""
    return _ask(settings, lambda schema: overview.queue_names(schema, beginning))


def worker_ids(settings: Settings, beginning: str) -> list[str]:
    """Ids of workers that hold locks and begin so."""
    holders = _ask(settings, overview.locked_workers)
    return [one.worker_id for one in holders if one.worker_id.startswith(beginning)]


def _ask(settings: Settings, statement: Callable[[Schema], Statement[list[T]]]) -> list[T]:
    """Nothing of an embedded database: its server would have to be started first."""
    if (settings.database_url or "").lower().startswith("embedded:"):
        return []
    return ask_database(settings, statement)
