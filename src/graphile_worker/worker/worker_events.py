"""The events of a worker's own life."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from graphile_worker.database.executor import Database
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.hooks.events import WorkerInit, WorkerShutdown, WorkerStart
from graphile_worker.hooks.reasons import ShutdownReason
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.worker.opened import Opened
from graphile_worker.worker.settings import WorkerSettings


async def tell_of_init(hooks: Hooks, database: Database, options: WorkerSettings) -> None:
    """Everything is ready for a run."""
    if hooks.worker_init is None:
        return
    event = WorkerInit(database=database, schema=options.schema, concurrency=options.concurrency)
    slow = hooks.worker_init(event)
    if slow is not None:
        await slow


@asynccontextmanager
async def run_told(
    hooks: Hooks,
    opened: Opened,
    identity: WorkerIdentity,
    options: WorkerSettings,
    reason: Callable[[], ShutdownReason],
) -> AsyncGenerator[None]:
    """Tells of the start and the end of a run, whatever ends it.

    Args:
        hooks: who wants to know.
        opened: the worker's databases.
        identity: the worker's; it may become another one meanwhile.
        options: the worker's.
        reason: why it ends, unless by an exception; asked at the end.
    """
    if hooks.worker_start is not None:
        start = WorkerStart(
            database=opened.database,
            direct_database=opened.direct,
            worker_id=identity.id,
            extensions=options.extensions_by_type(),
        )
        slow = hooks.worker_start(start)
        if slow is not None:
            await slow
    ended = ShutdownReason.ERROR
    try:
        yield
        ended = reason()
    finally:
        if hooks.worker_shutdown is not None:
            end = WorkerShutdown(database=opened.database, worker_id=identity.id, reason=ended)
            slow = hooks.worker_shutdown(end)
            if slow is not None:
                await slow
