"""What every session of ours is set to, whatever the role, the database or the server says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

APPLICATION_NAME: Final = "graphile-worker"

_TRACKED: Final = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "standard_conforming_strings": "on",
}
"""Settings that a transaction pooler carries from client to client, and so accepts."""

_SESSION: Final = {
    # Statements of ours qualify every name; nothing a role put on its path can shadow a function.
    # pg_temp is named, last, because it is searched first where it is not.
    "search_path": "pg_catalog, pg_temp",
    # How long a statement may take is decided where it is sent.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
}

_SINCE: Final = ((14, "idle_session_timeout"), (17, "transaction_timeout"))
"""Timeouts that older servers do not know, and would refuse the connection for."""


_OF_THE_ROLE: Final = ("search_path", "TimeZone", "DateStyle")
"""What changes the meaning of SQL, and so is given back to SQL that is not ours."""

SHOW_OF_THE_ROLE: Final = "select " + ", ".join(
    f"pg_catalog.current_setting('{name}')" for name in _OF_THE_ROLE
)
"""Asks a session that we did not set up for what `lent` takes."""


def session_settings(application_name: str, *, pooled: bool) -> dict[str, str]:
    """The settings of the startup packet: they cost no round trip, and RESET returns to them.

    Args:
        application_name: what the session is called in pg_stat_activity.
        pooled: whether a transaction pooler may stand between. PgBouncer refuses a packet with
            settings it does not carry over, so it gets only those it does; then the role's own
            are in force for single statements, and `local` sets ours for each transaction.
    """
    return {"application_name": application_name, **_TRACKED, **({} if pooled else _SESSION)}


def without_meaning(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings without those that `SHOW_OF_THE_ROLE` asks for."""
    return {name: value for name, value in settings.items() if name not in _OF_THE_ROLE}


def after_connect(server_major: int) -> str | None:
    """SQL for the settings that depend on the server's version; None when there are none."""
    names = [name for since, name in _SINCE if server_major >= since]
    return "; ".join(f"set {name} = 0" for name in names) or None


def local() -> str:
    """SQL that gives one transaction our settings, in a session that is shared with others."""
    ours = {
        name: value
        for name, value in _SESSION.items()
        if not name.startswith("default_")  # these would come too late for it
    }
    # The mode can be set before the first query only.
    return f"set transaction read write; {_set_config(ours)}"


def begun() -> str:
    """SQL that makes a transaction READ COMMITTED and writable, before its first query."""
    return "set transaction isolation level read committed, read write, not deferrable"


def begun_locally() -> str:
    """`begun` and `local` in one."""
    return f"{begun()}; {local()}"


def lent(values: Sequence[str]) -> str:
    """SQL that gives one transaction of ours the role's settings, as `SHOW_OF_THE_ROLE` told."""
    return _set_config(dict(zip(_OF_THE_ROLE, values, strict=True)))


def _set_config(settings: Mapping[str, str]) -> str:
    """One round trip for all; until the end of the transaction."""
    calls = (
        "pg_catalog.set_config('{}', '{}', true)".format(name, value.replace("'", "''"))
        for name, value in settings.items()
    )
    return "select " + ", ".join(calls)
