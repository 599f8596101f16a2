"""Open one connection: host after host, each with a time limit, and one clear error at the end."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlencode

import asyncpg

from graphile_worker.drivers.asyncpg_errors import DRIVER_ERRORS, ours
from graphile_worker.drivers.dsn import Endpoint, Target
from graphile_worker.drivers.settings import APPLICATION_NAME, after_connect, startup
from graphile_worker.drivers.sqlstate import CANNOT_CONNECT_NOW, UNKNOWN_DATABASE, is_wrong_login
from graphile_worker.errors import ConfigurationError, ConnectionLostError, DatabaseError

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

DEFAULT_TIMEOUT_SECONDS = 10.0
"""How long one host may take, unless the URL says `connect_timeout`."""


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens connections of ours to one target; shared by a pool and its dedicated connections.

    Holds no connection and belongs to no event loop: any loop, in any thread, may open with it.
    """

    target: Target
    prepared_statements: bool = True

    async def open(self, name: str | None = None, settings: dict[str, str] | None = None) -> Raw:
        """Open one connection.

        Args:
            name: what it is for, shown in `application_name`.
            settings: server settings over those of `drivers.settings`.

        Raises:
            ConnectionLostError: no host can be reached, or none is as wanted.
            DatabaseError: a host answered and refuses: a wrong password, an unknown database.
            ConfigurationError: the TLS files do not fit.
        """
        failures: list[tuple[Endpoint, Exception]] = []
        for endpoint in self.target.endpoints:
            try:
                return await self._attempt(endpoint, name, settings or {})
            except asyncpg.ClientConfigurationError as error:
                raise ConfigurationError(_one_line(error)) from error
            except (*DRIVER_ERRORS, asyncpg.TargetServerAttributeNotMatched) as error:
                if not _tries_next(error):
                    raise self._refused(endpoint, error) from error
                failures.append((endpoint, error))
        raise _unreachable(failures) from failures[-1][1]

    async def _attempt(self, endpoint: Endpoint, name: str | None, settings: dict[str, str]) -> Raw:
        target = self.target
        base = target.application_name or APPLICATION_NAME
        extra = {"options": target.options} if target.options else {}
        raw: Raw = await asyncpg.connect(
            dsn=f"postgresql://?{urlencode(target.tls)}" if target.tls else None,
            host=endpoint.host,
            port=endpoint.port,
            user=target.user,
            # None would send asyncpg looking for a pass file of its own.
            password=endpoint.password or "",
            database=target.database,
            timeout=target.connect_timeout_seconds or DEFAULT_TIMEOUT_SECONDS,
            statement_cache_size=100 if self.prepared_statements else 0,
            server_settings=startup(
                f"{base} {name}" if name else base,
                pooled=not self.prepared_statements,
                extra={**extra, **settings},
            ),
        )
        more = after_connect(raw.get_server_version().major)
        if more and self.prepared_statements:
            await raw.execute(more)
        return raw

    def _refused(self, endpoint: Endpoint, error: Exception) -> DatabaseError:
        """The text for a server that answered no."""
        plain = ours(error)
        who = f"{self.target.user!r} at {endpoint}"
        if is_wrong_login(plain.sqlstate):
            return DatabaseError(f"cannot log in as {who}: {plain}", sqlstate=plain.sqlstate)
        if plain.sqlstate == UNKNOWN_DATABASE:
            return DatabaseError(
                f"there is no database {self.target.database!r} at {endpoint}; "
                f"create it with: createdb {self.target.database}",
                sqlstate=plain.sqlstate,
            )
        return plain


def _tries_next(error: Exception) -> bool:
    """Whether another host may do better: this one is away, or not yet up, or of another kind."""
    if isinstance(error, asyncpg.PostgresError):
        return error.sqlstate == CANNOT_CONNECT_NOW
    return isinstance(error, OSError | asyncpg.TargetServerAttributeNotMatched)


def _unreachable(failures: list[tuple[Endpoint, Exception]]) -> ConnectionLostError:
    tried = ", ".join(f"{endpoint} ({_reason(error)})" for endpoint, error in failures)
    return ConnectionLostError(
        f"cannot connect to PostgreSQL at {tried}; is it running there?",
        sqlstate=getattr(failures[-1][1], "sqlstate", None),
    )


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "unknown host name"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {_one_line(error)}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return _one_line(error)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
