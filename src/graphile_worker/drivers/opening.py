"""Open one connection: host after host, each with a time limit, and one clear error at the end.

asyncpg can walk a list of hosts itself, but under one time limit for all of them: a first host
that does not answer would use it up. So it is given one host at a time.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from graphile_worker.drivers.asyncpg_errors import DRIVER_ERRORS, ours, refused, unreachable
from graphile_worker.drivers.settings import (
    APPLICATION_NAME,
    SHOW_OF_THE_ROLE,
    after_connect,
    session_settings,
    without_meaning,
)
from graphile_worker.drivers.source import Source
from graphile_worker.drivers.sqlstate import CANNOT_CONNECT_NOW
from graphile_worker.drivers.target import Endpoint, Target
from graphile_worker.drivers.tcp import apply_keepalive
from graphile_worker.errors import ConfigurationError, ConnectionLostError

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

DEFAULT_TIMEOUT_SECONDS = 10.0
"""How long one host may take, unless the connection string says `connect_timeout`."""

_NO_SETTINGS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens connections to one database; shared by a pool and the dedicated connections beside it.

    Holds no connection and belongs to no event loop: any loop, in any thread, may open with it.

    Attributes:
        source: where to connect.
        prepared_statements: False behind a transaction pooler, where neither named statements
            nor session settings outlive a transaction.
    """

    source: Source
    prepared_statements: bool = True

    async def open(
        self,
        name: str | None = None,
        *,
        settings: Mapping[str, str] = _NO_SETTINGS,
        meaning_of_the_role: bool = False,
    ) -> Raw:
        """Open one connection.

        Args:
            name: what it is for, shown in `application_name`.
            settings: server settings over those of `drivers.settings`; a pooler refuses them,
                so behind one they are left out.
            meaning_of_the_role: leave the search path and the like as the role has them.

        Raises:
            ConnectionLostError: no host can be reached, none is of the wanted kind, or nobody
                says where to connect.
            DatabaseError: a host answered and refuses: a wrong password, an unknown database.
            ConfigurationError: a TLS file cannot be used.
        """
        to = _Road(await self.source.target(), self.prepared_statements)
        startup = to.startup(name, settings)
        return await to.open(without_meaning(startup) if meaning_of_the_role else startup)

    async def reopen(
        self,
        name: str | None = None,
        *,
        settings: Mapping[str, str] = _NO_SETTINGS,
        meaning_of_the_role: bool = False,
    ) -> Raw:
        """`open`, for those who were connected before, and try again when a connection is lost.

        A TLS file that was good then and cannot be used now is about to be renewed, so that is an
        outage, too: ConnectionLostError.
        """
        try:
            return await self.open(name, settings=settings, meaning_of_the_role=meaning_of_the_role)
        except ConfigurationError as error:
            raise ConnectionLostError(f"cannot connect to PostgreSQL now: {error}") from error

    async def settings_of_the_role(self) -> Sequence[str]:
        """What `settings.lent` takes, asked of a session in which we did not set it."""
        raw = await self.reopen(meaning_of_the_role=True)
        try:
            return [str(value) for value in await raw.fetchrow(SHOW_OF_THE_ROLE) or ()]
        except DRIVER_ERRORS as error:
            raise ours(error) from error
        finally:
            raw.terminate()


@dataclass(frozen=True, slots=True)
class _Road:
    """The way to one target, host after host."""

    target: Target
    prepared_statements: bool

    async def open(self, startup: dict[str, str]) -> Raw:
        """Open one connection with these settings."""
        failures: list[tuple[Endpoint, Exception]] = []
        for endpoint, kind in self._attempts():
            try:
                return await self._attempt(endpoint, kind, startup)
            except asyncpg.ClientConfigurationError as error:
                raise ConfigurationError(str(ours(error))) from error
            except DRIVER_ERRORS as error:
                if not _is_away(error):
                    raise refused(self.target, endpoint, error) from error
                failures.append((endpoint, error))
        raise unreachable(failures) from failures[-1][1]

    def startup(self, name: str | None, more: Mapping[str, str]) -> dict[str, str]:
        """The startup packet. `options` is read before the rest of it, so ours come out on top."""
        base = self.target.application_name or APPLICATION_NAME
        return {
            **session_settings(
                f"{base} {name}" if name else base, pooled=not self.prepared_statements
            ),
            **({"options": self.target.options} if self.target.options else {}),
            **(more if self.prepared_statements else {}),
        }

    def _attempts(self) -> list[tuple[Endpoint, SessionAttribute]]:
        """Which hosts to try for which kind of server, in order."""
        endpoints = list(self.target.endpoints)
        if self.target.shuffled:
            random.shuffle(endpoints)
        wanted = SessionAttribute(self.target.target_session_attrs)
        kinds = [wanted]
        if wanted is SessionAttribute.prefer_standby:
            kinds = [SessionAttribute.standby, SessionAttribute.any]
        return [(endpoint, kind) for kind in kinds for endpoint in endpoints]

    async def _attempt(
        self, endpoint: Endpoint, kind: SessionAttribute, settings: dict[str, str]
    ) -> Raw:
        target = self.target
        async with asyncio.timeout(target.connect_timeout_seconds or DEFAULT_TIMEOUT_SECONDS):
            raw: Raw = await asyncpg.connect(
                host=endpoint.host,
                port=endpoint.port,
                user=target.user,
                # None would send asyncpg looking for a pass file of its own.
                password=endpoint.password or "",
                database=target.database,
                # One prepared statement a text; 0 also keeps asyncpg from naming statements.
                statement_cache_size=100 if self.prepared_statements else 0,
                server_settings=settings,
                target_session_attrs=kind,
                **_security(target, endpoint),
            )
            try:
                await self._finish(raw)
            except BaseException:
                raw.terminate()
                raise
        return raw

    async def _finish(self, raw: Raw) -> None:
        """What the startup packet cannot do."""
        if self.target.keepalive is not None:
            transport: Any = raw._transport  # type: ignore[attr-defined]  # noqa: SLF001 (no public way)
            apply_keepalive(transport, self.target.keepalive)
        if self.prepared_statements:
            more = after_connect(raw.get_server_version().major)
            if more:
                await raw.execute(more)


def _security(target: Target, endpoint: Endpoint) -> dict[str, Any]:
    """TLS as asyncpg takes it: files only by a URL, and none at all for a Unix socket."""
    if endpoint.is_socket:
        return {**target.kerberos, "ssl": False}
    _check_files(target.tls)
    if target.tls.get("sslrootcert") == "system":
        tls: dict[str, Any] = {"ssl": _system_context(target.tls)}
    else:
        tls = {"dsn": f"postgresql://?{urlencode(target.tls, quote_via=quote)}"}
    return {**target.kerberos, **tls, "direct_tls": target.direct_tls}


def _check_files(tls: Mapping[str, str]) -> None:
    """Name the file that is missing; asyncpg's error for it looks like a missing socket."""
    checked: tuple[str, ...] = ()
    if tls["sslmode"] != "disable":
        checked = ("sslcert", "sslkey")
    if tls["sslmode"] in {"require", "verify-ca", "verify-full"}:
        checked = (*checked, "sslrootcert", "sslcrl")
    for key in checked:
        path = tls.get(key)
        if path is not None and path != "system" and not os.access(path, os.R_OK):
            raise ConfigurationError(f"{key}: the file {path!r} cannot be read")


def _system_context(tls: Mapping[str, str]) -> ssl.SSLContext:
    """Certificates checked against those the operating system trusts; asyncpg knows only files."""
    context = ssl.create_default_context()
    if "sslcert" in tls:
        context.load_cert_chain(
            tls["sslcert"], tls.get("sslkey"), password=tls.get("sslpassword", "")
        )
    context.set_alpn_protocols(["postgresql"])
    return context


def _is_away(error: Exception) -> bool:
    """Whether another host may do better: this one is off, starting up, or of another kind."""
    if isinstance(error, asyncpg.PostgresError):
        return error.sqlstate == CANNOT_CONNECT_NOW
    return isinstance(error, OSError | asyncpg.TargetServerAttributeNotMatched)
