"""The database, opened when it is first needed, and transactions on it that end in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.migrations.state import check_schema
from graphile_worker.queries.admin_samples import settle

T = TypeVar("T")

PAGE_SECONDS: Final = 3.0
"""How long a statement for a page may take."""
LONG_SECONDS: Final = 10.0
"""How long one may take that somebody knows to be slow, or that nobody waits for."""


class Sessions:
    """Transactions on a database of which nothing is known until it is needed.

    Opening is tried each time while the database is away. Used on one event loop.

    Args:
        opener: opens the database.
        schema: where the tables are.
        owned: whether closing closes the database too.
    """

    def __init__(
        self, opener: Callable[[], Awaitable[Database]], schema: Schema, *, owned: bool = True
    ) -> None:
        self.schema = schema
        self._opener = opener
        self._owned = owned
        self._lock = asyncio.Lock()
        self._database: Database | None = None

    async def database(self) -> Database:
        """The database itself, for what makes transactions of its own.

        Raises:
            DatabaseError: it cannot be reached, or `SchemaMissingError` and
                `IncompatibleSchemaError` where it holds nothing that we can work with.
        """
        if self._database is None:
            async with self._lock:
                if self._database is None:
                    self._database = await self._open()
        return self._database

    @asynccontextmanager
    async def unchecked(self) -> AsyncGenerator[Database]:
        """The database, whatever is wrong with its schema.

        Raises:
            DatabaseError: it cannot be reached.
        """
        if self._database is not None:
            yield self._database
            return
        database = await self._opener()
        try:
            yield database
        finally:
            if self._owned:
                await database.aclose()

    @asynccontextmanager
    async def reading(self, seconds: float = PAGE_SECONDS) -> AsyncGenerator[Connection]:
        """A transaction in which PostgreSQL refuses every change.

        Args:
            seconds: how long each statement may take.
        """
        async with self._transaction(read_only=True, seconds=seconds) as connection:
            yield connection

    @asynccontextmanager
    async def changing(self, seconds: float = LONG_SECONDS) -> AsyncGenerator[Connection]:
        """A transaction that may change something; see `reading`."""
        async with self._transaction(read_only=False, seconds=seconds) as connection:
            yield connection

    async def read(self, statement: Statement[T], seconds: float = PAGE_SECONDS) -> T:
        """Carry out one statement that only reads."""
        async with self.reading(seconds) as connection:
            return await connection.run(statement)

    async def aclose(self) -> None:
        """Close the database, if it is open and ours; what is asked later opens it again."""
        database, self._database = self._database, None
        if database is not None and self._owned:
            await database.aclose()

    @asynccontextmanager
    async def _transaction(self, *, read_only: bool, seconds: float) -> AsyncGenerator[Connection]:
        database = await self.database()
        async with database.connection() as connection, connection.transaction():
            await connection.run(settle(read_only=read_only, milliseconds=int(seconds * 1000)))
            yield connection

    async def _open(self) -> Database:
        database = await self._opener()
        try:
            await check_schema(database, self.schema)
        except BaseException:
            if self._owned:
                await database.aclose()
            raise
        return database
