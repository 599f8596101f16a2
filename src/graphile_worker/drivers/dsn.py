"""Where to connect and as whom: a connection string, and all that libpq would add to it.

A key that the string leaves out is looked for in the service file, then in the environment, then
among the defaults; a password at last in the pass file. Where asyncpg would do the same, but
differently from libpq, it gets the result and is left nothing to look up.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import Final

from graphile_worker.drivers.conninfo import VARIABLES, parse
from graphile_worker.drivers.lookup_files import password_in, read_passfile, service_in
from graphile_worker.drivers.target import Endpoint, Keepalive, Target
from graphile_worker.errors import ConfigurationError
from graphile_worker.runtime.log_fields import log_fields

_log = logging.getLogger(__name__)

DEFAULT_PORT: Final = 5432
_DEFAULT_HOSTS: Final = ("/run/postgresql", "/tmp", "localhost")  # noqa: S108 (libpq's own places)
_TLS: Final = (
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
)
_CHOICES: Final = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "load_balance_hosts": ("disable", "random"),
    "target_session_attrs": (
        *("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    ),
    "gsslib": ("gssapi", "sspi"),
    # asyncpg has no GSS encryption; the other two are as good as what it does.
    "gssencmode": ("disable", "prefer"),
}
_NOT_ENFORCED: Final = {
    "channel_binding": ("disable", "prefer"),
    "require_auth": (),
    "requirepeer": (),
    "sslcertmode": ("allow",),
}
"""Demands on the server that asyncpg cannot make, and the values that demand nothing."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a connection string is completed from."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    home: Path | None = None

    def file(self, given: str | None, name: str) -> Path | None:
        """A file by its given path, or by its usual name at home."""
        if given is not None:
            return Path(given)
        try:
            return (self.home or Path.home()) / name
        except RuntimeError:  # no home
            return None


def resolve(url: str, surroundings: Surroundings | None = None) -> Target:
    """Read a connection string and complete it.

    Raises:
        ConfigurationError: it cannot be read, or asks for what cannot be done; the text holds
            no password.
    """
    around = surroundings or Surroundings()
    keys = _completed(parse(url), around)
    _check(keys)
    user = keys.get("user") or _system_user()
    database = keys.get("dbname") or user
    hosts = _hosts(keys)
    passwords = _Passwords(keys, around, database, user)
    several = "," in (keys.get("hostaddr") or keys.get("host") or "")
    return Target(
        endpoints=tuple(
            Endpoint(host, port, passwords.for_host(host, port)) for host, port in hosts
        ),
        user=user,
        database=database,
        tls=_tls(keys),
        direct_tls=keys.get("sslnegotiation") == "direct",
        # Of several servers a queue needs the one that takes writes.
        target_session_attrs=keys.get("target_session_attrs", "read-write" if several else "any"),
        shuffled=keys.get("load_balance_hosts") == "random",
        application_name=keys.get("application_name") or keys.get("fallback_application_name"),
        options=keys.get("options"),
        # 0 is libpq's "for ever"; here it is the default, because every attempt is bounded.
        connect_timeout_seconds=_number(keys, "connect_timeout", 0) or None,
        keepalive=_keepalive(keys),
        kerberos={key: keys[key] for key in ("krbsrvname", "gsslib") if key in keys},
    )


def _completed(keys: dict[str, str], around: Surroundings) -> dict[str, str]:
    environment = {
        key: around.environ[variable]
        for key, variable in VARIABLES.items()
        if variable and around.environ.get(variable)
    }
    service = keys.get("service") or environment.get("service")
    found = _service(service, {**environment, **keys}, around) if service else {}
    return {**environment, **found, **keys}


def _service(name: str, keys: dict[str, str], around: Surroundings) -> dict[str, str]:
    system = around.environ.get("PGSYSCONFDIR")
    paths = [around.file(keys.get("servicefile"), ".pg_service.conf")]
    paths += [Path(system) / "pg_service.conf"] if system else []
    for path in filter(None, paths):
        try:
            found = service_in(path.read_text(encoding="utf-8"), name)
        except OSError:
            continue
        if found is not None:
            return found
    raise ConfigurationError(
        f"the service {name!r} is not defined in {' or '.join(map(str, filter(None, paths)))}"
    )


def _check(keys: dict[str, str]) -> None:
    for key, allowed in _CHOICES.items():
        if key in keys and keys[key] not in allowed:
            raise ConfigurationError(
                f"{key} must be one of {', '.join(allowed)}, got {keys[key]!r}"
            )
    for key, harmless in _NOT_ENFORCED.items():
        if key in keys and keys[key] not in harmless:
            text = "a connection option cannot be enforced by asyncpg"
            log_fields(_log, logging.WARNING, text, fields={"key": key})


def _hosts(keys: dict[str, str]) -> list[tuple[str, int]]:
    """The hosts with their ports: one port for all, or a port for each."""
    # hostaddr spares the look-up of a name; the name is then for the certificate alone.
    addresses = keys.get("hostaddr")
    if addresses and "host" in keys and keys.get("sslmode") == "verify-full":
        raise ConfigurationError("hostaddr cannot be used with sslmode=verify-full")
    text = addresses or keys.get("host")
    hosts = [part.strip() for part in text.split(",")] if text else list(_DEFAULT_HOSTS)
    ports = keys.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts):
        raise ConfigurationError(f"{len(ports)} ports do not match {len(hosts)} hosts")
    places: list[tuple[str, int]] = []
    for host, port in zip(hosts, ports, strict=True):
        if host.startswith("@"):
            raise ConfigurationError("abstract Unix sockets are not supported")
        places += [(each, _port(port)) for each in ([host] if host else _DEFAULT_HOSTS)]
    return places


def _port(text: str) -> int:
    text = text.strip()
    if not text:
        return DEFAULT_PORT
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16):
        raise ConfigurationError(f"port must be a number from 1 to 65535, got {text!r}")
    return int(text)


class _Passwords:
    """The password of each host: one that was given, or the pass file's."""

    def __init__(
        self, keys: dict[str, str], around: Surroundings, database: str, user: str
    ) -> None:
        self._given = keys.get("password")
        self._database = database
        self._user = user
        self._passfile = ""
        path = around.file(keys.get("passfile"), ".pgpass")
        if self._given is None and path is not None:
            self._passfile = read_passfile(path)

    def for_host(self, host: str, port: int) -> str | None:
        if self._given is not None:
            return self._given
        return password_in(
            self._passfile, host=host, port=port, database=self._database, user=self._user
        )


def _tls(keys: dict[str, str]) -> dict[str, str]:
    tls: dict[str, str] = {key: keys[key] for key in _TLS if key in keys}
    system = tls.get("sslrootcert") == "system"
    tls.setdefault("sslmode", "verify-full" if system else "prefer")
    if system and tls["sslmode"] != "verify-full":
        raise ConfigurationError("sslrootcert=system needs sslmode=verify-full")
    if keys.get("sslnegotiation") == "direct" and tls["sslmode"] in {"disable", "allow", "prefer"}:
        raise ConfigurationError("sslnegotiation=direct needs sslmode=require or stronger")
    return tls


def _keepalive(keys: dict[str, str]) -> Keepalive | None:
    if _number(keys, "keepalives", 1) == 0:
        return None
    ours = Keepalive()
    return Keepalive(
        idle_seconds=_number(keys, "keepalives_idle", ours.idle_seconds),
        interval_seconds=_number(keys, "keepalives_interval", ours.interval_seconds),
        count=_number(keys, "keepalives_count", ours.count),
        user_timeout_ms=_number(keys, "tcp_user_timeout", ours.user_timeout_ms),
    )


def _number(keys: dict[str, str], key: str, default: int) -> int:
    if key not in keys:
        return default
    try:
        return max(0, int(keys[key]))
    except ValueError:
        raise ConfigurationError(f"{key} must be a whole number, got {keys[key]!r}") from None


def _system_user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):
        raise ConfigurationError(
            "the database URL names no user, and the system has no name for this one"
        ) from None
