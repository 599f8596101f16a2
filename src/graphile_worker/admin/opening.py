"""The database under the sites of an application: opened once, when one of them needs it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable

from graphile_worker.client.binding import bind
from graphile_worker.client.open_database import open_database
from graphile_worker.database.executor import Database
from graphile_worker.errors import ConfigurationError


class SharedDatabase:
    """One database, for any number of schemas in it.

    Args:
        opener: opens it.
        owned: whether closing closes it; a pool of the caller's is left open.
    """

    def __init__(self, opener: Callable[[], Awaitable[Database]], *, owned: bool) -> None:
        self._opener = opener
        self._owned = owned
        self._lock = asyncio.Lock()
        self._database: Database | None = None

    @classmethod
    def of(
        cls, database_or_url: object, *, max_pg_conn: int, prepared_statements: bool
    ) -> SharedDatabase:
        """What `create_admin_app` was given.

        Raises:
            ConfigurationError: it is nothing that many can use at once.
        """
        if isinstance(database_or_url, str):
            if max_pg_conn < 1:
                raise ConfigurationError(f"max_pg_conn must be at least 1, got {max_pg_conn}")
            opener = functools.partial(
                open_database,
                database_or_url,
                max_connections=max_pg_conn,
                prepared_statements=prepared_statements,
            )
            return cls(opener, owned=True)
        database = bind(database_or_url).database
        if database is None:
            raise ConfigurationError(
                "the admin page needs a pool, an engine or a URL: it serves many at once, and a "
                "single connection is somebody's transaction"
            )

        async def given() -> Database:
            return database

        return cls(given, owned=False)

    async def get(self) -> Database:
        """The database; opening is tried each time while it is away."""
        async with self._lock:
            if self._database is None:
                self._database = await self._opener()
            return self._database

    async def aclose(self) -> None:
        """Close it, if it is open and ours; what is asked later opens it again."""
        database, self._database = self._database, None
        if database is not None and self._owned:
            await database.aclose()
