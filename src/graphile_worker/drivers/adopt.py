"""A pool or engine that the caller owns becomes a database."""

from __future__ import annotations

from typing import Any, Final

from graphile_worker.database.executor import Database, SyncDatabase
from graphile_worker.drivers.kinds import Kind, kind_of, listed, type_name
from graphile_worker.errors import ConfigurationError


def adopt(pool: object) -> Database:
    """A database over a pool that the caller owns and closes.

    Args:
        pool: an asyncpg `Pool`, a psycopg `AsyncConnectionPool`, or a SQLAlchemy `AsyncEngine` on
            asyncpg or psycopg.

    Raises:
        ConfigurationError: it is not a kind of pool we know.
    """
    kind = kind_of(pool, _ASYNC)
    if kind is not None:
        return kind.make(pool)
    hint = ""
    if kind_of(pool, _SYNC) is not None:
        hint = "; this one works without an event loop, as SyncWorkerUtils does"
    raise ConfigurationError(
        f"cannot work on {type_name(pool)}; what works: {listed(_ASYNC)}{hint}; for a URL: "
        "database_url="
    )


def adopt_sync(pool: object) -> SyncDatabase:
    """The same without an event loop.

    Args:
        pool: a psycopg `ConnectionPool`, or a SQLAlchemy `Engine` on psycopg.

    Raises:
        ConfigurationError: it is not a kind of pool we know.
    """
    kind = kind_of(pool, _SYNC)
    if kind is not None:
        return kind.make(pool)
    hint = ""
    if kind_of(pool, _ASYNC) is not None:
        hint = "; this one needs an event loop, as WorkerUtils does"
    raise ConfigurationError(f"cannot work on {type_name(pool)}; what works: {listed(_SYNC)}{hint}")


def _asyncpg(pool: Any) -> Database:
    from graphile_worker.drivers.asyncpg import AsyncpgDatabase  # noqa: PLC0415

    return AsyncpgDatabase.over_pool(pool)


def _psycopg(pool: Any) -> Database:
    from graphile_worker.drivers.psycopg_pool import over_pool  # noqa: PLC0415

    return over_pool(pool)


def _sync_psycopg(pool: Any) -> SyncDatabase:
    from graphile_worker.drivers.psycopg_pool import over_sync_pool  # noqa: PLC0415

    return over_sync_pool(pool)


def _alchemy(engine: Any) -> Database:
    from graphile_worker.drivers.engine import over_engine  # noqa: PLC0415

    return over_engine(engine)


def _sync_alchemy(engine: Any) -> SyncDatabase:
    from graphile_worker.drivers.engine import over_sync_engine  # noqa: PLC0415

    return over_sync_engine(engine)


_ASYNC: Final[tuple[Kind[Database], ...]] = (
    Kind("asyncpg Pool", "asyncpg", "Pool", _asyncpg),
    Kind("psycopg AsyncConnectionPool", "psycopg_pool", "AsyncConnectionPool", _psycopg),
    Kind("SQLAlchemy AsyncEngine", "sqlalchemy.ext.asyncio", "AsyncEngine", _alchemy),
)

_SYNC: Final[tuple[Kind[SyncDatabase], ...]] = (
    Kind("psycopg ConnectionPool", "psycopg_pool", "ConnectionPool", _sync_psycopg),
    Kind("SQLAlchemy Engine", "sqlalchemy.engine", "Engine", _sync_alchemy),
)
