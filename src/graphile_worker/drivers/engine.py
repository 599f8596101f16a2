"""SQLAlchemy's engines: one connection of the driver's own out of their pools, for a while.

SQLAlchemy begins no transaction on a connection that it does not use, so the driver's connection
is all ours; when it goes back, it is as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from graphile_worker.database.executor import Connection, SyncConnection
from graphile_worker.drivers import settings as session
from graphile_worker.drivers.adopted import AdoptedDatabase, AdoptedSyncDatabase
from graphile_worker.errors import ConfigurationError, ConnectionLostError, DatabaseError
from graphile_worker.runtime.finishing import finish

ACQUIRE_SECONDS: Final = 30.0
"""How long to wait for a connection, over what the engine's pool itself allows."""
CLOSE_SECONDS: Final = 5.0
"""How long giving one back may take."""


@dataclass(frozen=True, slots=True)
class _Driver:
    """What has to be known of the driver below an engine.

    Attributes:
        take: makes a connection of ours over one of SQLAlchemy's and the driver's own.
        errors: SQLAlchemy's, and the driver's: some of them are wrapped, depending on the version.
        ours: the same failure as a `DatabaseError`.
    """

    take: Callable[[AsyncConnection, Any], Awaitable[Connection]]
    errors: tuple[type[Exception], ...]
    ours: Callable[[Exception], DatabaseError]


def over_engine(engine: AsyncEngine) -> AdoptedDatabase:
    """A database over an engine that the caller owns and disposes of.

    Raises:
        ConfigurationError: the engine is not one of PostgreSQL by asyncpg or psycopg.
    """
    known = {"asyncpg": _asyncpg, "psycopg": _psycopg, "psycopg_async": _psycopg}
    driver = known[_checked(engine.dialect, tuple(known))]()

    async def take() -> Connection:
        connection = await _connect(engine, driver)
        try:
            raw = (await connection.get_raw_connection()).driver_connection
        except BaseException:
            await finish(_give_back(connection, None))
            raise
        return await driver.take(connection, raw)

    return AdoptedDatabase(take)


def over_sync_engine(engine: Engine) -> AdoptedSyncDatabase:
    """The same without an event loop.

    Raises:
        ConfigurationError: the engine is not one of PostgreSQL by psycopg.
    """
    _checked(engine.dialect, ("psycopg",))
    driver = _psycopg()
    from graphile_worker.drivers.psycopg_sync import SyncPsycopgConnection  # noqa: PLC0415

    def take() -> SyncConnection:
        try:
            connection = engine.connect()
        except driver.errors as error:
            raise _ours(error, driver) from error
        raw: Any = connection.connection.driver_connection

        def give_back() -> None:
            if raw.closed:
                connection.invalidate()
            connection.close()

        return SyncPsycopgConnection.take(raw, give_back)

    return AdoptedSyncDatabase(take)


def _asyncpg() -> _Driver:
    from graphile_worker.drivers.asyncpg_connection import PinnedConnection  # noqa: PLC0415
    from graphile_worker.drivers.asyncpg_errors import DRIVER_ERRORS, ours  # noqa: PLC0415

    async def take(connection: AsyncConnection, raw: Any) -> Connection:
        return PinnedConnection(
            raw, lambda: finish(_give_back(connection, raw)), preamble=session.local()
        )

    return _Driver(take, (SQLAlchemyError, *DRIVER_ERRORS), ours)


def _psycopg() -> _Driver:
    from graphile_worker.drivers.psycopg_connection import PsycopgConnection  # noqa: PLC0415
    from graphile_worker.drivers.psycopg_errors import (  # noqa: PLC0415
        DRIVER_ERRORS,
        not_connected,
    )

    async def take(connection: AsyncConnection, raw: Any) -> Connection:
        return await PsycopgConnection.take(raw, lambda: _give_back(connection, raw))

    return _Driver(take, (SQLAlchemyError, *DRIVER_ERRORS), not_connected)


async def _connect(engine: AsyncEngine, driver: _Driver) -> AsyncConnection:
    try:
        async with asyncio.timeout(ACQUIRE_SECONDS):
            return await engine.connect()
    except driver.errors as error:
        raise _ours(error, driver) from error


async def _give_back(connection: AsyncConnection, raw: Any) -> None:
    with suppress(SQLAlchemyError, OSError):
        async with asyncio.timeout(CLOSE_SECONDS):
            if raw is None or _is_closed(raw):
                await connection.invalidate()
            await connection.close()


def _is_closed(raw: Any) -> bool:
    """Asyncpg asks, psycopg has an attribute."""
    return bool(raw.is_closed() if hasattr(raw, "is_closed") else raw.closed)


def _checked(dialect: Dialect, known: tuple[str, ...]) -> str:
    """The name of the dialect's driver, if we know it."""
    if dialect.name == "postgresql" and dialect.driver in known:
        return dialect.driver
    works = ", ".join(f"postgresql+{name}" for name in known if name != "psycopg_async")
    raise ConfigurationError(
        f"cannot work on a SQLAlchemy engine of {dialect.name}+{dialect.driver}; "
        f"what works: {works}"
    )


def _ours(error: Exception, driver: _Driver) -> DatabaseError:
    """The driver's error, which may be inside of SQLAlchemy's, as ours."""
    inner: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    while inner is not None:
        if isinstance(inner, driver.errors) and not isinstance(inner, SQLAlchemyError):
            return driver.ours(inner)
        inner = inner.__cause__
    text = " ".join(str(error).split())
    # Else it is the time limit of SQLAlchemy's pool.
    return ConnectionLostError(text) if isinstance(error, DBAPIError) else DatabaseError(text)
