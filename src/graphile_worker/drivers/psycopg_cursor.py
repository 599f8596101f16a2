"""Cursors of psycopg that read and write the values of our statements, and no others.

A connection's owner may have taught it other row factories, JSON functions, time zones and types;
it may bind parameters on the client, or show dates the German way. None of that reaches these
cursors: they have adapters of their own, take PostgreSQL's own `$1`, and read binary results.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader
from psycopg.postgres import register_default_adapters, types
from psycopg.pq import Format
from psycopg.rows import tuple_row
from psycopg.types.array import register_all_arrays

from graphile_worker.database.statement import Row, Statement

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECONDS: Final = struct.Struct("!q").unpack
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


class UtcLoader(Loader):
    """A `timestamptz` in UTC.

    psycopg's own gives times in the session's zone. Sums of those are sums of wall clock times: an
    hour off when summer time begins in between.
    """

    format = Format.BINARY

    def load(self, data: Buffer) -> datetime:
        """Read microseconds since 2000; what Python cannot hold is its first or last moment."""
        (microseconds,) = _MICROSECONDS(data)
        try:
            return _EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            return _LAST if microseconds > 0 else _FIRST


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(types=types)
    register_default_adapters(_Context(adapters))
    register_all_arrays(_Context(adapters))
    adapters.register_loader("timestamptz", UtcLoader)
    return adapters


class _Context:
    """What psycopg registers adapters in."""

    def __init__(self, adapters: AdaptersMap) -> None:
        self.adapters = adapters
        self.connection = None


_ADAPTERS: Final = _adapters()


class Cursor(psycopg.RawCursor[tuple[Any, ...]]):
    """For a connection without an event loop."""

    @property
    def adapters(self) -> AdaptersMap:
        """Ours, not the connection's."""
        return _ADAPTERS


class AsyncCursor(psycopg.AsyncRawCursor[tuple[Any, ...]]):
    """For an asynchronous connection."""

    @property
    def adapters(self) -> AdaptersMap:
        """Ours, not the connection's."""
        return _ADAPTERS


async def fetch(raw: psycopg.AsyncConnection[Any], statement: Statement[Any]) -> Sequence[Row]:
    """Send a statement, and answer with its rows."""
    cursor = AsyncCursor(raw, row_factory=tuple_row)
    await cursor.execute(statement.text.encode(), statement.args, binary=True)
    try:
        return () if _has_no_rows(cursor) else await cursor.fetchall()
    except psycopg.ProgrammingError:
        if _has_no_rows(cursor):
            return ()
        raise


def fetch_sync(raw: psycopg.Connection[Any], statement: Statement[Any]) -> Sequence[Row]:
    """The same without an event loop."""
    cursor = Cursor(raw, row_factory=tuple_row)
    cursor.execute(statement.text.encode(), statement.args, binary=True)
    return rows_of(cursor)


def rows_of(cursor: psycopg.Cursor[tuple[Any, ...]]) -> Sequence[Row]:
    """The rows of the statement that a cursor has executed, if it is one that answers with some."""
    try:
        return () if _has_no_rows(cursor) else cursor.fetchall()
    except psycopg.ProgrammingError:
        if _has_no_rows(cursor):
            return ()
        raise


def _has_no_rows(cursor: psycopg.Cursor[Any] | psycopg.AsyncCursor[Any]) -> bool:
    """In a pipeline this is only known after fetching, which fails where there are none."""
    return cursor.pgresult is not None and cursor.pgresult.nfields == 0
