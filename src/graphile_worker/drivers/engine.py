"""SQLAlchemy's engines: one connection of the driver's own out of their pools, for a while.

SQLAlchemy begins no transaction on a connection that it does not use, so the driver's connection
is all ours; when it goes back, it is as it was.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from graphile_worker.database.executor import Connection, SyncConnection
from graphile_worker.drivers import settings as session
from graphile_worker.drivers.adopted import AdoptedDatabase, AdoptedSyncDatabase
from graphile_worker.drivers.finishing import finish
from graphile_worker.errors import ConfigurationError, ConnectionLostError, DatabaseError

ACQUIRE_SECONDS: Final = 30.0
"""How long to wait for a connection, over what the engine's pool itself allows."""
CLOSE_SECONDS: Final = 5.0

_ERRORS: Final = (SQLAlchemyError, OSError)


def over_engine(engine: AsyncEngine) -> AdoptedDatabase:
    """A database over an engine that the caller owns and disposes of.

    Raises:
        ConfigurationError: the engine is not one of PostgreSQL by asyncpg or psycopg.
    """
    take = {"asyncpg": _take_asyncpg, "psycopg": _take_psycopg, "psycopg_async": _take_psycopg}
    driver = _driver(engine.dialect, tuple(take))

    async def take_one() -> Connection:
        connection = await _connect(engine)
        try:
            raw = (await connection.get_raw_connection()).driver_connection
        except BaseException:
            await finish(_give_back(connection, raw=None))
            raise
        return await take[driver](connection, raw)

    return AdoptedDatabase(take_one)


def over_sync_engine(engine: Engine) -> AdoptedSyncDatabase:
    """The same without an event loop.

    Raises:
        ConfigurationError: the engine is not one of PostgreSQL by psycopg.
    """
    _driver(engine.dialect, ("psycopg",))

    def take() -> SyncConnection:
        from graphile_worker.drivers.psycopg_sync import SyncPsycopgConnection  # noqa: PLC0415

        try:
            connection = engine.connect()
        except _ERRORS as error:
            raise _ours(error) from error
        raw: Any = connection.connection.driver_connection

        def give_back() -> None:
            if raw.closed:
                connection.invalidate()
            connection.close()

        return SyncPsycopgConnection.take(raw, give_back)

    return AdoptedSyncDatabase(take)


async def _take_asyncpg(connection: AsyncConnection, raw: Any) -> Connection:
    from graphile_worker.drivers.asyncpg_connection import PinnedConnection  # noqa: PLC0415

    return PinnedConnection(
        raw, lambda: finish(_give_back(connection, raw)), preamble=session.local()
    )


async def _take_psycopg(connection: AsyncConnection, raw: Any) -> Connection:
    from graphile_worker.drivers.psycopg_connection import PsycopgConnection  # noqa: PLC0415

    return await PsycopgConnection.take(raw, lambda: _give_back(connection, raw))


async def _connect(engine: AsyncEngine) -> AsyncConnection:
    try:
        async with asyncio.timeout(ACQUIRE_SECONDS):
            return await engine.connect()
    except _ERRORS as error:
        raise _ours(error) from error


async def _give_back(connection: AsyncConnection, raw: Any) -> None:
    with suppress(*_ERRORS):
        async with asyncio.timeout(CLOSE_SECONDS):
            if raw is None or _is_closed(raw):
                await connection.invalidate()
            await connection.close()


def _is_closed(raw: Any) -> bool:
    """Asyncpg asks, psycopg has an attribute."""
    return bool(raw.is_closed() if hasattr(raw, "is_closed") else raw.closed)


def _driver(dialect: Dialect, known: tuple[str, ...]) -> str:
    if dialect.name == "postgresql" and dialect.driver in known:
        return dialect.driver
    works = ", ".join(f"postgresql+{name}" for name in known if name != "psycopg_async")
    raise ConfigurationError(
        f"cannot work on a SQLAlchemy engine of {dialect.name}+{dialect.driver}; "
        f"what works: {works}"
    )


def _ours(error: Exception) -> DatabaseError:
    """The driver's error inside of SQLAlchemy's, as ours."""
    if not isinstance(error, DBAPIError):  # the pool's time limit, or the network
        kind = ConnectionLostError if isinstance(error, OSError) else DatabaseError
        return kind(" ".join(str(error).split()) or type(error).__name__)
    inner: BaseException | None = error.orig
    while inner is not None:
        module = type(inner).__module__.partition(".")[0]
        if isinstance(inner, Exception) and module == "asyncpg":
            from graphile_worker.drivers.asyncpg_errors import ours as asyncpgs  # noqa: PLC0415

            return asyncpgs(inner)
        if isinstance(inner, Exception) and module == "psycopg":
            from graphile_worker.drivers.psycopg_errors import not_connected  # noqa: PLC0415

            return not_connected(inner)
        inner = inner.__cause__
    return ConnectionLostError(" ".join(str(error).split()))
