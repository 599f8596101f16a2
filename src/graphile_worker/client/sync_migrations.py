"""Migrations and sweeps without an event loop: the ones there are, over a database without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from graphile_worker.database.executor import (
    Connection,
    Database,
    SyncConnection,
    SyncDatabase,
)
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.migrations.runner import migrate
from graphile_worker.migrations.state import check_schema
from graphile_worker.recovery.sweep import SweepResult, sweep_by_hand
from graphile_worker.runtime.duration import Duration

T = TypeVar("T")


def migrate_sync(database: SyncDatabase, schema: Schema) -> None:
    """See `migrate`."""
    _finish(lambda: migrate(_as_async(database), schema))


def check_schema_sync(database: SyncDatabase, schema: Schema) -> None:
    """See `check_schema`."""
    _finish(lambda: check_schema(_as_async(database), schema))


def sweep_sync(
    database: SyncDatabase,
    schema: Schema,
    *,
    sweep_threshold: Duration | None,
    recovery_delay: Duration | None,
    dry_run: bool,
) -> SweepResult:
    """See `sweep_by_hand`."""
    return _finish(
        lambda: sweep_by_hand(
            _as_async(database),
            schema,
            sweep_threshold=sweep_threshold,
            recovery_delay=recovery_delay,
            dry_run=dry_run,
        )
    )


def _finish(call: Callable[[], Awaitable[T]]) -> T:
    """Await it in a thread, where no event loop is running; it blocks, and nobody else is there."""

    async def wait() -> T:
        return await call()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, wait()).result()


def _as_async(database: SyncDatabase) -> Database:
    """It can do what migrations and sweeps ask of a database, not all of it."""
    return cast("Database", _Database(database))


class _Database:
    def __init__(self, database: SyncDatabase) -> None:
        self._database = database

    async def run(self, statement: Statement[T]) -> T:
        return self._database.run(statement)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        with self._database.connection() as connection:
            yield cast("Connection", _Connection(connection))


class _Connection:
    def __init__(self, connection: SyncConnection) -> None:
        self._connection = connection

    async def run(self, statement: Statement[T]) -> T:
        return self._connection.run(statement)

    async def script(self, text: str) -> None:
        self._connection.script(text)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Any]:
        with self._connection.transaction():
            yield
