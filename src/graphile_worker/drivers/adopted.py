"""Databases over pools and engines that the caller owns and closes.

Sessions are set up as the caller likes: transactions of ours set what they need for themselves,
single statements run under the caller's settings.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import TypeVar

from graphile_worker.database.executor import Connection, SyncConnection
from graphile_worker.database.statement import Statement
from graphile_worker.drivers.process import forked

T = TypeVar("T")


class AdoptedDatabase:
    """Over a function that takes a connection out of the caller's pool; closing gives it back."""

    opens_connections = False
    """See `Database`."""
    keeps_sessions = False
    """See `Database`."""

    def __init__(self, take: Callable[[], Awaitable[Connection]]) -> None:
        self._take_one = take
        self._process = os.getpid()

    async def run(self, statement: Statement[T]) -> T:
        """Borrow a connection for one statement."""
        async with self._connection() as connection:
            return await connection.run(statement)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Borrow one connection for a while."""
        return self._connection()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        connection = await self._take()
        try:
            yield connection
        finally:
            await connection.aclose()

    async def dedicated(
        self,
        name: str,  # noqa: ARG002 (as is `settings`)
        *,
        settings: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Connection:
        """Take a connection for as long as it is open; name and settings do not apply to it."""
        return await self._take()

    async def aclose(self) -> None:
        """Do nothing: the caller closes what the caller opened."""

    async def _take(self) -> Connection:
        if self._process != os.getpid():
            raise forked(self._process)
        return await self._take_one()


class AdoptedSyncDatabase:
    """The same without an event loop."""

    def __init__(self, take: Callable[[], SyncConnection]) -> None:
        self._take_one = take
        self._process = os.getpid()

    def run(self, statement: Statement[T]) -> T:
        """Borrow a connection for one statement."""
        with self._connection() as connection:
            return connection.run(statement)

    def connection(self) -> AbstractContextManager[SyncConnection]:
        """Borrow one connection for a while."""
        return self._connection()

    @contextmanager
    def _connection(self) -> Generator[SyncConnection]:
        if self._process != os.getpid():
            raise forked(self._process)
        connection = self._take_one()
        try:
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Do nothing: the caller closes what the caller opened."""
