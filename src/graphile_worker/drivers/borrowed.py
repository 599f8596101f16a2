"""Executors on connections and sessions that the caller owns, in the caller's transaction.

They send statements and nothing else: no commit, no rollback, no flush, no setting. Exceptions of
the driver reach the caller as they are, with a note.
"""

from __future__ import annotations

from typing import Any, Final

from graphile_worker.database.executor import Executor, SyncExecutor
from graphile_worker.drivers.kinds import Kind, kind_of, listed, type_name
from graphile_worker.errors import ConfigurationError, MissingDependencyError


def executor_for(x: object) -> Executor:
    """An executor on something asynchronous that the caller owns.

    Args:
        x: an asyncpg `Connection`, also a pool's; a psycopg `AsyncConnection`; a SQLAlchemy
            `AsyncConnection`, `AsyncSession` or `async_scoped_session`.

    Raises:
        ConfigurationError: it is of no such kind.
    """
    kind = kind_of(x, _ASYNC)
    if kind is not None:
        return kind.make(x)
    hint = ""
    if kind_of(x, _SYNC) is not None:
        hint = "; this one works without `await`: use SyncWorkerUtils"
    raise ConfigurationError(
        f"cannot send statements through {type_name(x)}; what works: {listed(_ASYNC)}{hint}"
    )


def sync_executor_for(x: object) -> SyncExecutor:
    """An executor on something synchronous that the caller owns.

    Args:
        x: a psycopg `Connection`; a SQLAlchemy `Connection`, `Session` or `scoped_session`; a
            Django connection (`django.db.connection`, `connections["alias"]`).

    Raises:
        ConfigurationError: it is of no such kind.
        MissingDependencyError: it is Django's, and psycopg 3 is not installed.
    """
    kind = kind_of(x, _SYNC)
    if kind is not None:
        return kind.make(x)
    hint = ""
    if kind_of(x, _ASYNC) is not None:
        hint = "; this one has to be awaited: use WorkerUtils"
    raise ConfigurationError(
        f"cannot send statements through {type_name(x)}; what works: {listed(_SYNC)}{hint}"
    )


def _asyncpg(x: Any) -> Executor:
    from graphile_worker.drivers.asyncpg_borrowed import BorrowedAsyncpg  # noqa: PLC0415

    return BorrowedAsyncpg(x)


def _psycopg(x: Any) -> Executor:
    from graphile_worker.drivers.psycopg_borrowed import BorrowedPsycopg  # noqa: PLC0415

    return BorrowedPsycopg(x)


def _sync_psycopg(x: Any) -> SyncExecutor:
    from graphile_worker.drivers.psycopg_borrowed import BorrowedSyncPsycopg  # noqa: PLC0415

    return BorrowedSyncPsycopg(x)


def _alchemy_connection(x: Any) -> Executor:
    from graphile_worker.drivers.sqlalchemy import BorrowedAsyncConnection  # noqa: PLC0415

    return BorrowedAsyncConnection(x)


def _alchemy_session(x: Any) -> Executor:
    from graphile_worker.drivers.sqlalchemy import BorrowedAsyncSession  # noqa: PLC0415

    return BorrowedAsyncSession(x)


def _sync_alchemy_connection(x: Any) -> SyncExecutor:
    from graphile_worker.drivers.sqlalchemy import BorrowedConnection  # noqa: PLC0415

    return BorrowedConnection(x)


def _sync_alchemy_session(x: Any) -> SyncExecutor:
    from graphile_worker.drivers.sqlalchemy import BorrowedSession  # noqa: PLC0415

    return BorrowedSession(x)


def _django(x: Any) -> SyncExecutor:
    try:
        from graphile_worker.drivers.django import BorrowedDjango  # noqa: PLC0415
    except ImportError as error:
        feature = "sending statements through Django (it takes psycopg 3)"
        raise MissingDependencyError(feature, "django") from error
    return BorrowedDjango(x)


_ORM: Final = "sqlalchemy.orm"
_ALCHEMY: Final = "sqlalchemy.ext.asyncio"

_ASYNC: Final[tuple[Kind[Executor], ...]] = (
    Kind("asyncpg Connection", "asyncpg", "Connection", _asyncpg),
    Kind("asyncpg Connection", "asyncpg.pool", "PoolConnectionProxy", _asyncpg),
    Kind("psycopg AsyncConnection", "psycopg", "AsyncConnection", _psycopg),
    Kind("SQLAlchemy AsyncConnection", _ALCHEMY, "AsyncConnection", _alchemy_connection),
    Kind("SQLAlchemy AsyncSession", _ALCHEMY, "AsyncSession", _alchemy_session),
    Kind("SQLAlchemy async_scoped_session", _ALCHEMY, "async_scoped_session", _alchemy_session),
)

_SYNC: Final[tuple[Kind[SyncExecutor], ...]] = (
    Kind("psycopg Connection", "psycopg", "Connection", _sync_psycopg),
    Kind("SQLAlchemy Connection", "sqlalchemy.engine", "Connection", _sync_alchemy_connection),
    Kind("SQLAlchemy Session", _ORM, "Session", _sync_alchemy_session),
    Kind("SQLAlchemy scoped_session", _ORM, "scoped_session", _sync_alchemy_session),
    Kind("Django connection", "django.db.backends.base.base", "BaseDatabaseWrapper", _django),
    Kind("Django connection", "django.utils.connection", "ConnectionProxy", _django),
)
