"""A connection for what a worker does beside its jobs, which no handler can take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.statement import Statement

T = TypeVar("T")


class ServiceDatabase:
    """Sweeps, recurring jobs and the look at the schema: one after the other, beside the pool.

    Each opens its connection and closes it, since they come about once a minute: so there is none
    that lies idle, and none that was lost in between.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()

    async def run(self, statement: Statement[T]) -> T:
        """Send one statement."""
        async with self._connection() as connection:
            return await connection.run(statement)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for a while; the next one who wants it waits meanwhile."""
        return self._connection()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        async with self._turn:
            connection = await self._database.dedicated("services")
            try:
                yield connection
            finally:
                await connection.aclose()
