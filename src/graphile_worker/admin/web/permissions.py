"""What somebody may do, and what roles are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from graphile_worker.errors import ConfigurationError

PERMISSIONS: Final = {
    "view": "see jobs, queues, tasks, workers, and figures",
    "view_payload": "see payloads, without what sounds like a secret",
    "reveal_payload": "see secrets in payloads; each time is written down",
    "retry": "retry jobs, or let them run now",
    "reschedule": "change time, priority and attempts of jobs",
    "fail": "let jobs have failed for good",
    "delete": "delete jobs",
    "enqueue": "add jobs, also those of cron entries",
    "pause": "pause and resume queues, tasks, cron entries, and everything",
    "unlock": "unlock what a worker holds",
    "sweep": "free the jobs of workers that fell silent",
    "maintain": "clean up",
    "migrate": "bring the schema to the newest revision",
    "bulk": "act on all jobs of a filter",
    "export": "download many jobs at once",
    "audit": "see who did what",
}
"""Every permission, and what it is for."""

_VIEWER: Final = frozenset({"view", "view_payload"})
_OPERATOR: Final = _VIEWER | {
    *("retry", "reschedule", "fail", "enqueue", "pause", "bulk", "export"),
}
ROLES: Final = {
    "viewer": _VIEWER,
    "operator": _OPERATOR,
    "admin": frozenset(PERMISSIONS),
}
"""Every role, and what it may do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, and what they may do; made by `Identity.of`.

    Attributes:
        name: as it is shown and written down.
        role: `viewer`, `operator`, `admin`, or empty for a set of permissions of its own.
        permissions: what they may do.
        via: how we know: `bearer` and `header` say that a program of theirs asks, which no other
            site can make a browser do.
    """

    name: str
    role: str
    permissions: frozenset[str]
    via: str = ""

    @classmethod
    def of(cls, name: str, role: str | Iterable[str] = "viewer", *, via: str = "") -> Identity:
        """Somebody with a role, or with permissions.

        Raises:
            ConfigurationError: there is no such role or permission.
        """
        if isinstance(role, str):
            return cls(name, role, permissions_of(role), via)
        return cls(name, "", permissions_of(role), via)


def permissions_of(role: str | Iterable[str]) -> frozenset[str]:
    """What a role may do, or the permissions themselves.

    Raises:
        ConfigurationError: there is no such role or permission.
    """
    if isinstance(role, str):
        if role not in ROLES:
            raise ConfigurationError(f"role must be one of {', '.join(ROLES)}, got {role!r}")
        return ROLES[role]
    wanted = frozenset(role)
    if unknown := sorted(map(str, wanted - PERMISSIONS.keys())):
        raise ConfigurationError(
            f"permissions must be some of {', '.join(PERMISSIONS)}, got {', '.join(unknown)}"
        )
    return wanted
