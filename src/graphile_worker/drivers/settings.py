"""What every session of ours is set to, whatever the role, the database or the server says."""

from __future__ import annotations

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


def startup(application_name: str, *, pooled: bool, extra: dict[str, str]) -> dict[str, str]:
    """The settings of the startup packet: they cost no round trip, and RESET returns to them.

    Args:
        application_name: what the session is called in pg_stat_activity.
        pooled: whether a transaction pooler may stand between. PgBouncer refuses a packet with
            settings it does not carry over, so it gets only those it does.
        extra: more settings, over ours.
    """
    session = {} if pooled else _SESSION
    return {"application_name": application_name, **_TRACKED, **session, **extra}


def after_connect(server_major: int) -> str | None:
    """SQL for the settings that depend on the server's version; None when there are none."""
    names = [name for since, name in _SINCE if server_major >= since]
    return "; ".join(f"set {name} = 0" for name in names) or None


def local() -> str:
    """SQL that gives one transaction our settings, for sessions that are shared with others."""
    names = {**_SESSION, "transaction_read_only": "off"}
    return "; ".join(f"set local {name} = {value}" for name, value in _quoted(names))


def _quoted(settings: dict[str, str]) -> list[tuple[str, str]]:
    """Values as SET wants them: a list of names stays a list, all else is a string."""
    return [
        (name, value if name == "search_path" else f"'{value}'")
        for name, value in settings.items()
        if not name.startswith("default_transaction")
    ]
