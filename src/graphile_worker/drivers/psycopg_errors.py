"""Exceptions of psycopg and its pool, as ours."""

from __future__ import annotations

from typing import Final

import psycopg

from graphile_worker.drivers.sqlstate import DATA_EXCEPTION, database_error
from graphile_worker.errors import ConnectionLostError, DatabaseError

DRIVER_ERRORS: Final = (psycopg.Error, OSError)
"""What a call into psycopg raises; those of its pool are kinds of `psycopg.OperationalError`."""

_REFUSED: Final = "FATAL"
"""libpq reports a refused connection as text alone. Servers that speak another language than
English say it in theirs, and count as unreachable."""


def ours(error: Exception) -> DatabaseError:
    """The same failure as a `DatabaseError`; raise it `from` the original."""
    if isinstance(error, DatabaseError):
        return error
    if isinstance(error, psycopg.Error) and error.sqlstate and error.diag.message_primary:
        return database_error(
            error.diag.message_primary,
            error.sqlstate,
            detail=error.diag.message_detail,
            hint=error.diag.message_hint,
            constraint=error.diag.constraint_name,
        )
    text = _one_line(error)
    if isinstance(error, psycopg.OperationalError | OSError):
        return ConnectionLostError(text)
    if isinstance(error, psycopg.DataError):
        # A value that psycopg itself refuses, for which other drivers ask the server.
        return DatabaseError(text, sqlstate=DATA_EXCEPTION)
    return DatabaseError(text)


def not_connected(error: Exception) -> DatabaseError:
    """The error for a connection that was not made: refused, or nobody there."""
    text = _one_line(error)
    if _REFUSED in text:
        return DatabaseError(text)
    return ConnectionLostError(text)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
