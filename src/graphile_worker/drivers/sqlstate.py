"""What a SQLSTATE means for the one who sent the statement.

Codes: PostgreSQL documentation, Appendix A. Nothing here knows a driver.
"""

from __future__ import annotations

from graphile_worker.errors import ConnectionLostError, DatabaseError

READ_ONLY = "25006"
"""A write met a read-only server: after a failover the old primary answers so."""

DATA_EXCEPTION = "22000"
"""A value is not one of its type; the class of all errors about values."""
CANNOT_CONNECT_NOW = "57P03"
TOO_MANY_CONNECTIONS = "53300"
PROTOCOL_VIOLATION = "08P01"
UNKNOWN_DATABASE = "3D000"

_LOST = frozenset(
    {
        READ_ONLY,
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
        TOO_MANY_CONNECTIONS,
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        CANNOT_CONNECT_NOW,
        "57P04",  # database_dropped
        "57P05",  # idle_session_timeout
    }
)
_TRANSIENT = frozenset(
    {
        "40001",  # serialization_failure, also a conflict with recovery on a standby
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available
        "57014",  # query_canceled: by an administrator or a timeout
    }
)
_WITH_ROW = frozenset({"23502", "23514"})
"""Their detail repeats the whole row, and so a payload, which belongs into no log."""


def database_error(
    message: str,
    sqlstate: str | None,
    *,
    detail: str | None = None,
    hint: str | None = None,
    constraint: str | None = None,
) -> DatabaseError:
    """What PostgreSQL said, as our error with a text of one line."""
    if sqlstate in _WITH_ROW:
        detail = None
    text = "; ".join(" ".join(part.split()) for part in (message, detail, hint) if part)
    kind = ConnectionLostError if is_lost(sqlstate) else DatabaseError
    return kind(text, sqlstate=sqlstate, constraint=constraint)


def is_lost(sqlstate: str | None) -> bool:
    """Whether the connection is of no use after this error, or was never made."""
    return sqlstate is not None and (sqlstate in _LOST or sqlstate.startswith("08"))


def is_wrong_login(sqlstate: str | None) -> bool:
    """Whether the server does not let this user in: a wrong password, or pg_hba.conf."""
    return sqlstate is not None and sqlstate.startswith("28")


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may well succeed on another try.

    True does not say that the statement had no effect: a connection can be lost after the
    server committed and before its answer came.
    """
    if isinstance(error, ConnectionLostError):
        return True
    if not isinstance(error, DatabaseError) or error.sqlstate is None:
        return False
    # Class 53 is the server short of memory, disk or connections.
    return error.sqlstate in _TRANSIENT or error.sqlstate.startswith("53")
