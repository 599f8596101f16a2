"""Databases for tests: one that counts, and one whose sessions act as some role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.statement import Statement


class CountingConnection:
    """Passes everything on and remembers the names of what was sent."""

    def __init__(self, connection: Connection, sent: list[str]) -> None:
        self._connection = connection
        self._sent = sent

    async def run(self, statement: Statement[Any]) -> Any:
        self._sent.append(statement.name)
        return await self._connection.run(statement)

    async def script(self, text: str) -> None:
        self._sent.append("script")
        await self._connection.script(text)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self._sent.append("transaction")
        async with self._connection.transaction():
            yield


class CountingDatabase:
    def __init__(self, database: Database) -> None:
        self._database = database
        self.sent: list[str] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[CountingConnection]:
        async with self._database.connection() as connection:
            yield CountingConnection(connection, self.sent)


class OneConnection:
    """A database that is one connection, which the test has prepared."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        yield self._connection

    async def run(self, statement: Statement[Any]) -> Any:
        return await self._connection.run(statement)


ActAs = Callable[[str], Awaitable[OneConnection]]
"""Gives the database as a role sees it."""
