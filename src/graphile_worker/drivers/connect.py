"""The way in: a connection string becomes a `Database`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from graphile_worker.database.executor import Database, SyncDatabase
from graphile_worker.drivers.source import DatabaseUrl, Source
from graphile_worker.drivers.sqlstate import UNKNOWN_DATABASE, is_transient
from graphile_worker.errors import ConfigurationError, DatabaseError, MissingDependencyError
from graphile_worker.runtime.retry import Backoff

if TYPE_CHECKING:
    from graphile_worker.drivers.asyncpg import AsyncpgDatabase
    from graphile_worker.drivers.opening import Opener

T = TypeVar("T")

_log = logging.getLogger(__name__)


async def connect(
    url: DatabaseUrl,
    *,
    max_connections: int = 20,
    prepared_statements: bool = True,
    wait: timedelta | None = None,
) -> Database:
    """Open a database and make sure that it answers.

    Args:
        url: a connection string in either form of libpq, or a function that gives one.
        max_connections: the size of the pool; dedicated connections come on top.
        prepared_statements: False behind a pooler that gives each transaction another session,
            as PgBouncer does in transaction mode. Then neither named statements are used nor
            session settings sent: transactions set up themselves, single statements run as the
            role is set up. LISTEN does not work there at all.
        wait: how long to keep trying while the server is not there yet; None tries once.

    Raises:
        ConfigurationError: the connection string cannot be used.
        ConnectionLostError: the server cannot be reached.
        DatabaseError: the server refuses: a wrong password, an unknown database.
    """
    # Imported here so that reading a URL, or a database of another kind, needs no asyncpg.
    from graphile_worker.drivers.opening import Opener  # noqa: PLC0415

    if max_connections < 1:
        raise ConfigurationError(f"max_connections must be at least 1, got {max_connections}")
    opener = Opener(Source(url), prepared_statements=prepared_statements)
    if wait is None:
        return await _open(opener, max_connections)
    return await keep_trying(partial(_open, opener, max_connections), wait)


async def keep_trying(attempt: Callable[[], Awaitable[T]], wait: timedelta) -> T:
    """Try again while that may help; the error of the last try is the answer.

    Args:
        attempt: connects, and leaves nothing behind when it fails.
        wait: how long to keep trying.

    Raises:
        DatabaseError: what the last attempt raised.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait.total_seconds()
    for delay in Backoff().delays():
        try:
            return await attempt()
        except DatabaseError as error:
            if not _may_come(error) or loop.time() + delay > deadline:
                raise
            _log.warning("waiting for PostgreSQL: %s", error)
        await asyncio.sleep(delay)
    raise AssertionError  # the delays do not end


def connect_sync(
    url: DatabaseUrl, *, max_connections: int = 5, prepared_statements: bool = True
) -> SyncDatabase:
    """Open a database that works without an event loop, by psycopg, and make sure it answers.

    Args:
        url: as for `connect`.
        max_connections: the size of the pool, whose connections any thread may borrow.
        prepared_statements: as for `connect`.

    Raises:
        MissingDependencyError: psycopg or its pool is not installed.
        ConfigurationError: the connection string cannot be used.
        ConnectionLostError: the server cannot be reached.
        DatabaseError: the server refuses: a wrong password, an unknown database.
    """
    try:
        from graphile_worker.drivers.psycopg_opening import (  # noqa: PLC0415 (an extra)
            OwnSyncDatabase,
            SyncOpener,
        )
    except ImportError as error:
        raise MissingDependencyError("a connection without an event loop", "psycopg") from error
    if max_connections < 1:
        raise ConfigurationError(f"max_connections must be at least 1, got {max_connections}")
    opener = SyncOpener(Source(url), prepared_statements=prepared_statements)
    return OwnSyncDatabase.open(opener, max_connections)


async def _open(opener: Opener, max_connections: int) -> AsyncpgDatabase:
    from graphile_worker.drivers.asyncpg import AsyncpgDatabase  # noqa: PLC0415 (see connect)

    return await AsyncpgDatabase.open(opener, max_connections)


def _may_come(error: DatabaseError) -> bool:
    """Whether it is the server's start that is being waited for; a database is made last."""
    return is_transient(error) or error.sqlstate == UNKNOWN_DATABASE
