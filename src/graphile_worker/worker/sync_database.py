"""Connections for transactions of handlers that run in threads."""

from __future__ import annotations

import threading

from graphile_worker.database.executor import SyncDatabase
from graphile_worker.drivers.connect import connect_sync
from graphile_worker.drivers.source import DatabaseUrl
from graphile_worker.errors import ConfigurationError


class LazySyncDatabase:
    """A pool that is opened when the first handler asks for it; most workers have none that does.

    Asked from any thread. They come on top of `max_pg_conn`.

    Args:
        url: where, or who says so; None where the worker was given a pool and no URL.
        max_connections: of the pool: how many handlers run in threads at once.
        prepared_statements: False behind a pooler in transaction mode.
    """

    def __init__(
        self, url: DatabaseUrl | None, *, max_connections: int, prepared_statements: bool
    ) -> None:
        self._url = url
        self._max_connections = max_connections
        self._prepared_statements = prepared_statements
        self._lock = threading.Lock()
        self._database: SyncDatabase | None = None

    def __call__(self) -> SyncDatabase:
        """The pool, opened if need be.

        Raises:
            ConfigurationError: the worker has no URL.
            MissingDependencyError: psycopg is not installed.
            DatabaseError: there is no connection.
        """
        if self._url is None:
            raise ConfigurationError(
                "ctx.transaction() of a plain function opens connections of its own, and the "
                "worker only has a pool that it was given; give direct_database_url too, or make "
                "the task `async def`"
            )
        with self._lock:
            if self._database is None:
                self._database = connect_sync(
                    self._url,
                    max_connections=self._max_connections,
                    prepared_statements=self._prepared_statements,
                )
            return self._database

    def close(self) -> None:
        """Close it, if it was opened."""
        with self._lock:
            database, self._database = self._database, None
        if database is not None:
            database.close()
