"""Exceptions of asyncpg and of the network, as ours."""

from __future__ import annotations

import asyncpg

from graphile_worker.drivers.sqlstate import database_error
from graphile_worker.errors import ConnectionLostError, DatabaseError

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # TimeoutError and ConnectionError are kinds of it
)
"""What a call into asyncpg raises, programming errors of ours aside."""

_GONE = ("connection is closed", "pool is clos", "connection has been released")
"""asyncpg has no class of its own for these; its texts are not localised."""


def ours(error: Exception) -> DatabaseError:
    """The same failure as a `DatabaseError`; raise it `from` the original."""
    if isinstance(error, asyncpg.PostgresError):
        return database_error(
            error.message or str(error),
            error.sqlstate,
            detail=error.detail,
            hint=error.hint,
            constraint=error.constraint_name,
        )
    text = " ".join(str(error).split())
    if isinstance(error, TimeoutError):
        return ConnectionLostError(text or "PostgreSQL did not answer in time")
    if isinstance(error, OSError) or any(words in text for words in _GONE):
        return ConnectionLostError(text or type(error).__name__)
    return DatabaseError(text or type(error).__name__)
