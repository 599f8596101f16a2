"""From a URL to an open database, `embedded:` included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from typing import TypeVar

from graphile_worker.database.executor import Connection, Database, SyncConnection, SyncDatabase
from graphile_worker.database.statement import Statement
from graphile_worker.drivers.connect import connect, connect_sync
from graphile_worker.drivers.source import DatabaseUrl
from graphile_worker.errors import ConfigurationError

T = TypeVar("T")

_EMBEDDED = "embedded:"


async def open_database(
    url: DatabaseUrl | None,
    *,
    max_connections: int = 20,
    prepared_statements: bool = True,
    wait: timedelta | None = None,
) -> Database:
    """Connect to a URL; for `embedded:` start, or join, the PostgreSQL that comes along.

    Args:
        url: any form that libpq takes, a function that gives one, or `embedded:…`.
        max_connections: of the pool; dedicated connections come on top.
        prepared_statements: False behind a pooler in transaction mode.
        wait: how long to wait for a server that is not there yet; None fails at once.

    Raises:
        ConfigurationError: no URL, or one that cannot be read.
        ConnectionLostError: nobody answers there.
        DatabaseError: the server refused us.
    """
    url = _given(url)
    if callable(url) or not _is_embedded(url):
        return await connect(
            url, max_connections=max_connections, prepared_statements=prepared_statements, wait=wait
        )
    from graphile_worker.embedded.server import EmbeddedPostgres  # noqa: PLC0415 (optional extra)

    server = await asyncio.to_thread(EmbeddedPostgres.start, url)
    try:
        database = await connect(server.url, max_connections=max_connections)
    except BaseException:
        await asyncio.to_thread(server.close)
        raise
    return _OnEmbedded(database, server.close, server.url)


def url_of(database: Database) -> str | None:
    """Where an embedded server is reached for as long as this database is open, else None."""
    return database.url if isinstance(database, _OnEmbedded) else None


def open_sync_database(
    url: DatabaseUrl | None, *, max_connections: int = 5, prepared_statements: bool = True
) -> SyncDatabase:
    """The same without an event loop; see `open_database`.

    Raises:
        MissingDependencyError: psycopg is not installed.
    """
    url = _given(url)
    if callable(url) or not _is_embedded(url):
        return connect_sync(
            url, max_connections=max_connections, prepared_statements=prepared_statements
        )
    from graphile_worker.embedded.server import EmbeddedPostgres  # noqa: PLC0415 (optional extra)

    server = EmbeddedPostgres.start(url)
    try:
        database = connect_sync(server.url, max_connections=max_connections)
    except BaseException:
        server.close()
        raise
    return _OnEmbeddedSync(database, server.close)


def _given(url: DatabaseUrl | None) -> DatabaseUrl:
    if not url:
        raise ConfigurationError(
            "no database: pass database_url=, --database-url or set DATABASE_URL "
            '(for a PostgreSQL that comes along: "embedded:")'
        )
    return url


def _is_embedded(url: str) -> bool:
    return url.lower().startswith(_EMBEDDED)


class _OnEmbedded:
    """A database that stops using its embedded server when it is closed."""

    def __init__(self, database: Database, close_server: Callable[[], None], url: str) -> None:
        self.url = url
        self._database = database
        self._close_server = close_server

    async def run(self, statement: Statement[T]) -> T:
        return await self._database.run(statement)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        return self._database.connection()

    @property
    def opens_connections(self) -> bool:
        return self._database.opens_connections

    @property
    def keeps_sessions(self) -> bool:
        return self._database.keeps_sessions

    async def dedicated(self, name: str, *, settings: dict[str, str] | None = None) -> Connection:
        return await self._database.dedicated(name, settings=settings)

    async def aclose(self) -> None:
        try:
            await self._database.aclose()
        finally:
            await asyncio.to_thread(self._close_server)


class _OnEmbeddedSync:
    """The same without an event loop."""

    def __init__(self, database: SyncDatabase, close_server: Callable[[], None]) -> None:
        self._database = database
        self._close_server = close_server

    def run(self, statement: Statement[T]) -> T:
        return self._database.run(statement)

    def connection(self) -> AbstractContextManager[SyncConnection]:
        return self._database.connection()

    def close(self) -> None:
        try:
            self._database.close()
        finally:
            self._close_server()
