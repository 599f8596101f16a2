"""Statements on SQLAlchemy connections and sessions that the caller owns.

They are sent through `exec_driver_sql`, never on the driver's own connection: SQLAlchemy begins
its transactions late, with the first statement that it sends itself. What went past it would be
committed at once, or rolled back in spite of a commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sqlalchemy.engine import Connection, CursorResult, Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from graphile_worker.database.statement import Row, Statement
from graphile_worker.drivers.notes import check_loop, noted
from graphile_worker.drivers.placeholders import named, pyformat
from graphile_worker.errors import ConfigurationError

T = TypeVar("T")

_PYFORMAT: Final = frozenset({"psycopg", "psycopg_async", "psycopg2"})
# The caller's may ask for a server-side cursor, which no statement that writes can have.
_OPTIONS: Final = {"stream_results": False, "yield_per": None}


class BorrowedAsyncConnection:
    """An executor on a caller's `AsyncConnection`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def run(self, statement: Statement[T]) -> T:
        """Send the statement; it begins the caller's transaction if it is the first."""
        return await _run(self._connection, statement)


class BorrowedAsyncSession:
    """An executor on the connection of a caller's session; nothing is flushed."""

    def __init__(self, session: AsyncSession | async_scoped_session[Any]) -> None:
        self._session = session

    async def run(self, statement: Statement[T]) -> T:
        """Send the statement in the session's transaction."""
        with noted(statement):
            connection = await self._session.connection()
        return await _run(connection, statement)


class BorrowedConnection:
    """An executor on a caller's `Connection`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, statement: Statement[T]) -> T:
        """Send the statement; it begins the caller's transaction if it is the first."""
        return _run_sync(self._connection, statement)


class BorrowedSession:
    """An executor on the connection of a caller's session; nothing is flushed."""

    def __init__(self, session: Session | scoped_session[Any]) -> None:
        self._session = session

    def run(self, statement: Statement[T]) -> T:
        """Send the statement in the session's transaction."""
        with noted(statement):
            connection = self._session.connection()
        return _run_sync(connection, statement)


async def _run(connection: AsyncConnection, statement: Statement[T]) -> T:
    text, parameters = _call(connection.dialect, statement)
    with noted(statement):
        if connection.dialect.driver == "asyncpg":
            driver = (await connection.get_raw_connection()).driver_connection
            check_loop(getattr(driver, "_loop", None))
        result = await connection.exec_driver_sql(text, parameters, _OPTIONS)
        rows = _rows(result)
    return statement.decode(rows)


def _run_sync(connection: Connection, statement: Statement[T]) -> T:
    text, parameters = _call(connection.dialect, statement)
    with noted(statement):
        result = connection.exec_driver_sql(text, parameters, _OPTIONS)
        rows = _rows(result)
    return statement.decode(rows)


def _call(dialect: Dialect, statement: Statement[Any]) -> tuple[str, Any]:
    """The statement as the dialect's driver takes it.

    Raises:
        ConfigurationError: it is a driver we do not know, or not PostgreSQL at all.
    """
    if dialect.name == "postgresql" and dialect.driver == "asyncpg":
        return statement.text, statement.args
    if dialect.name == "postgresql" and dialect.driver in _PYFORMAT:
        return pyformat(statement.text), named(statement.args)
    raise ConfigurationError(
        f"cannot send statements through SQLAlchemy's {dialect.name}+{dialect.driver}; what works: "
        "postgresql+asyncpg, postgresql+psycopg, postgresql+psycopg2"
    )


def _rows(result: CursorResult[Any]) -> Sequence[Row]:
    """The rows, with times in UTC: sums of times in a zone with summer time are not sums."""
    if not result.returns_rows:
        return ()
    return [tuple(map(_in_utc, row)) for row in result.fetchall()]


def _in_utc(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None and value.tzinfo is not UTC:
        return value.astimezone(UTC)
    return value
