"""Where to connect, as whom and how: a connection string with nothing left to look up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server that may be tried: a host name, an address, or a socket's folder."""

    host: str
    port: int
    password: str | None = field(default=None, repr=False)

    @property
    def is_socket(self) -> bool:
        """Whether this is a Unix socket."""
        return self.host.startswith("/")

    def __str__(self) -> str:
        if self.is_socket:
            return f"{self.host}/.s.PGSQL.{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Keepalive:
    """How soon the kernel notices that the other side is gone; None leaves it to the system.

    asyncpg has no such options, and a worker that waits on a dead link does no work: so these
    have values of ours, not the two hours of an untuned kernel.
    """

    idle_seconds: int = 30
    interval_seconds: int = 10
    count: int = 3
    user_timeout_ms: int = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Everything a connection string, a service, the environment and the pass file say."""

    endpoints: tuple[Endpoint, ...]
    user: str
    database: str
    tls: Mapping[str, str] = field(repr=False)
    direct_tls: bool = False
    target_session_attrs: str = "any"
    shuffled: bool = False
    application_name: str | None = None
    options: str | None = None
    connect_timeout_seconds: float | None = None
    keepalive: Keepalive | None = Keepalive()
    kerberos: Mapping[str, str] = field(default_factory=dict[str, str])
