"""Exceptions of asyncpg and of the network, as ours."""

from __future__ import annotations

import os
import re
import socket
import ssl

import asyncpg

from graphile_worker.drivers.sqlstate import (
    PROTOCOL_VIOLATION,
    UNKNOWN_DATABASE,
    database_error,
    is_wrong_login,
)
from graphile_worker.drivers.target import Endpoint, Target
from graphile_worker.errors import ConnectionLostError, DatabaseError

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # TimeoutError, ssl.SSLError and our ConnectionLostError are kinds of it
    AttributeError,  # the connection ended while a statement was between two of its steps
)
"""What a call into asyncpg raises, programming errors of ours aside."""

_GONE = ("connection is closed", "pool is clos", "connection has been released")
"""asyncpg has no class of its own for these; its texts are not localised."""


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (asyncpg.TargetServerAttributeNotMatched, "not what target_session_attrs asks for"),
    (socket.gaierror, "unknown host name"),
    (TimeoutError, "no answer in time"),
)


def ours(error: Exception) -> DatabaseError:
    """The same failure as a `DatabaseError`; raise it `from` the original."""
    if isinstance(error, DatabaseError):
        return error
    if isinstance(error, asyncpg.PostgresError):
        return database_error(
            error.message or str(error),
            error.sqlstate,
            detail=error.detail,
            hint=error.hint,
            constraint=error.constraint_name,
        )
    text = one_line(error)
    if isinstance(error, AttributeError) and "'NoneType' object" in text:  # once its protocol
        return ConnectionLostError("the connection ended under a statement")
    if isinstance(error, TimeoutError):
        return ConnectionLostError("PostgreSQL did not answer in time")
    # asyncpg's plain InternalClientError is a conversation that fell out of step; so it does
    # when the server has just ended the session and the end of the stream is yet to come.
    out_of_step = type(error) is asyncpg.InternalClientError
    if isinstance(error, OSError) or out_of_step or any(words in text for words in _GONE):
        return ConnectionLostError(text)
    return DatabaseError(text)


def refused(target: Target, endpoint: Endpoint, error: Exception) -> DatabaseError:
    """The error for a server that answered, and said no."""
    plain = ours(error)
    state = plain.sqlstate
    if is_wrong_login(state):
        return DatabaseError(f"cannot log in as {target.user}@{endpoint}: {plain}", sqlstate=state)
    if state == UNKNOWN_DATABASE:
        return DatabaseError(
            f"there is no database {target.database!r} at {endpoint}; "
            f"create it with: createdb {target.database}",
            sqlstate=state,
        )
    if state == PROTOCOL_VIOLATION and "startup parameter" in str(plain):
        return DatabaseError(
            f"{endpoint} is a connection pooler that refuses our session settings ({plain}); say "
            "prepared_statements=False, or connect to PostgreSQL itself",
            sqlstate=state,
        )
    return plain


def unreachable(failures: list[tuple[Endpoint, Exception]]) -> ConnectionLostError:
    """The error for hosts none of which could be used, with what became of each."""
    # A host that was asked twice, for two kinds of server, is named once.
    tried = ", ".join(f"{endpoint} ({why})" for endpoint, why in _reasons(failures).items())
    last = ours(failures[-1][1])
    question = "; is PostgreSQL running there?" if _is_network(failures[-1][1]) else ""
    return ConnectionLostError(
        f"cannot connect to PostgreSQL at {tried}{question}", sqlstate=last.sqlstate
    )


def one_line(error: Exception) -> str:
    """The text of an error without line breaks, or at least its name."""
    return " ".join(str(error).split()) or type(error).__name__


def _reasons(failures: list[tuple[Endpoint, Exception]]) -> dict[Endpoint, str]:
    return {endpoint: _reason(error) for endpoint, error in failures}


def _reason(error: Exception) -> str:
    for kind, text in _REASONS:
        if isinstance(error, kind):
            return text
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {one_line(error)}"
    # A name with several addresses fails as one error without a number, which lists theirs.
    numbers = re.findall(r"\[Errno (\d+)\]", str(error))
    return ", ".join(dict.fromkeys(os.strerror(int(number)) for number in numbers)) or one_line(
        error
    )


def _is_network(error: Exception) -> bool:
    return isinstance(error, OSError) and not isinstance(error, ssl.SSLError)
