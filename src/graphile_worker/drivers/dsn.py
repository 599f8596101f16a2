"""Where to connect and as whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from graphile_worker.errors import ConfigurationError


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Everything a connection string, a service, the environment and the pass file say."""

    endpoints: tuple[Endpoint, ...]
    user: str
    database: str
    tls: Mapping[str, str] = field(default_factory=dict, repr=False)
    target_session_attrs: str = "any"
    application_name: str | None = None
    options: str | None = None
    connect_timeout_seconds: float | None = None


def resolve(url: str) -> Target:
    """Read a connection string."""
    parts = urlsplit(url)
    if parts.scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        raise ConfigurationError("not a PostgreSQL URL")
    query = dict(parse_qsl(parts.query))
    user = unquote(parts.username or "") or query.get("user", "postgres")
    host = query.get("host") or unquote(parts.hostname or "") or "localhost"
    password = unquote(parts.password) if parts.password else None
    port = int(query.get("port") or parts.port or 5432)
    return Target(
        endpoints=(Endpoint(host, port, password),),
        user=user,
        database=unquote(parts.path[1:]) or user,
        application_name=query.get("application_name"),
        options=query.get("options"),
    )
