"""`create_admin_app`: the admin page and its API as an ASGI application."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import RedirectResponse
from starlette.types import Receive, Scope, Send

from graphile_worker.admin.api.acting import Acting
from graphile_worker.admin.api.looking import Looking
from graphile_worker.admin.api.openapi import openapi_endpoint
from graphile_worker.admin.api.probes import Probes
from graphile_worker.admin.api.rust import RustRoutes
from graphile_worker.admin.pages.endpoints import page_set
from graphile_worker.admin.parts import Parts
from graphile_worker.admin.service.audit import Audit, OnAction
from graphile_worker.admin.service.audit_table import AuditTable
from graphile_worker.admin.service.changing import Changing
from graphile_worker.admin.service.plain import PlainReading
from graphile_worker.admin.service.reading import Reading, ReadingOptions
from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.service.sessions import Sessions
from graphile_worker.admin.web.authentication import AuthCallable, Authenticator
from graphile_worker.admin.web.endpoint import Endpoint
from graphile_worker.admin.web.gate import Gate, GateOptions
from graphile_worker.admin.web.loop_end import LoopEnd
from graphile_worker.admin.web.mounting import located, slash_is_missing
from graphile_worker.admin.web.origin import checked_origin
from graphile_worker.admin.web.sign_in import SignIn
from graphile_worker.client.binding import bind
from graphile_worker.client.open_database import open_database
from graphile_worker.cron.entries import AnyCron, built, parsed
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.errors import ConfigurationError
from graphile_worker.hooks.registry import HookRegistry

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The names of this machine, for itself."""


@dataclass(frozen=True, kw_only=True)
class AppOptions:
    """How the application is set up; see `create_admin_app`."""

    auth: AuthCallable
    read_only: bool
    environment: str = ""
    crontabs: tuple[Any, ...] = ()
    redactor: Redactor = field(default_factory=Redactor)
    on_action: OnAction | None = None
    keep_audit: bool = False
    hooks: HookRegistry | None = None
    origin: str | None = None
    hosts: frozenset[str] | None = None
    more_endpoints: tuple[Endpoint, ...] = ()
    secret_was_generated: bool = False


class AdminApp:
    """The admin page and its API, as an ASGI application; made by `create_admin_app`.

    It connects when it is first asked for something. It lets go of its connections when its host
    tells it that the program ends, when `aclose` is called, or, without either, when the event loop
    ends; a pool that was given is left open.
    """

    def __init__(self, sessions: Sessions, options: AppOptions) -> None:
        self._sessions = sessions
        table = AuditTable(sessions, makes_table=options.keep_audit and not options.read_only)
        audit = Audit(options.on_action, table, writes=not options.read_only)
        reading = Reading(
            sessions,
            ReadingOptions(
                redactor=options.redactor,
                crontabs=options.crontabs,
                only_reads=options.read_only,
            ),
        )
        self.parts = Parts(
            reading=reading,
            changing=None
            if options.read_only
            else Changing(sessions, reading, audit, options.hooks),
            audit=audit,
            schema=sessions.schema.name,
            environment=options.environment,
            auth_mode=getattr(options.auth, "mode", "Custom"),
            username=getattr(options.auth, "username", None),
            header_name=getattr(options.auth, "header_name", None),
            secret_was_generated=options.secret_was_generated,
        )
        pages = page_set(self.parts, options.auth)
        self.pages = pages
        self.gate = Gate(
            [*self._api(), *options.more_endpoints, *pages.endpoints],
            GateOptions(
                auth=options.auth,
                read_only=options.read_only,
                origin=options.origin,
                hosts=options.hosts,
                error_page=pages.error_page,
            ),
        )
        self._loop_end = LoopEnd(self._close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; ASGI's three kinds of scopes are understood, WebSockets are refused."""
        match scope["type"]:
            case "http":
                await self._loop_end.watch()
                await self._answer(located(scope), receive, send)
            case "lifespan":
                await self._live(receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})
            case other:
                raise ConfigurationError(f"expected a scope of ASGI, got the type {other!r}")

    async def aclose(self) -> None:
        """End what is under way and close the connections; what is asked later opens them again."""
        await self._loop_end.forget()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        elsewhere = slash_is_missing(scope)
        if elsewhere is None:
            await self.gate(scope, receive, send)
        else:
            await RedirectResponse(elsewhere)(scope, receive, send)

    def _api(self) -> list[Endpoint]:
        acting, looking = Acting(self.parts).endpoints(), Looking(self.parts).endpoints()
        described = [*_those_with_more_in_them_first([*acting, *looking])]
        rust = RustRoutes(self.parts, PlainReading(self._sessions))
        return [
            openapi_endpoint(described),
            *described,
            *rust.endpoints(),
            *Probes(self.parts).endpoints(),
        ]

    async def _close(self) -> None:
        self.pages.stop()
        await self.pages.aclose()
        if self.parts.changing is not None:
            await self.parts.changing.aclose()
        await self.parts.reading.aclose()
        await self._sessions.aclose()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return


def create_admin_app(  # noqa: PLR0913 (options by name, as WorkerOptions has them)
    database_or_url: object,
    *,
    auth: AuthCallable,
    schema: str = "graphile_worker",
    read_only: bool = False,
    environment: str = "",
    crons: AnyCron | Iterable[object] = (),
    redact: Iterable[str] = (),
    on_action: OnAction | None = None,
    keep_audit: bool = False,
    hooks: HookRegistry | None = None,
    origin: str | None = None,
    max_pg_conn: int = 4,
    prepared_statements: bool = True,
) -> AdminApp:
    """The admin page and its JSON API, to be mounted under any path of any ASGI application.

    Nothing is opened here: it connects when somebody first asks for something.

    Args:
        database_or_url: a libpq URL, `embedded:…`, or a pool or engine of the caller's, as
            `WorkerUtils` takes.
        auth: tells who asks: a function of the ASGI scope (async, if it likes) that answers with an
            `Identity`, or None for nobody; or one of `basic_auth`, `bearer_auth`, `header_auth` and
            `allow_all`.
        schema: where the tables are.
        read_only: nobody may change anything, and PostgreSQL refuses it too.
        environment: what people call this place, shown in the page; `production` is shown in red.
        crons: entries to show with their next runs, and to run by hand; as `WorkerOptions` takes
            them.
        redact: names of keys, beside those that are hidden anyway, whose values are hidden in
            payloads and errors.
        on_action: told of everything that somebody did, after it was done.
        keep_audit: keep that in the database too, in the side table `_gwx_audit`, made with
            the first entry; where it is there, it is used in any case.
        hooks: asked about jobs that are added.
        origin: the scheme and host under which browsers reach this (`https://admin.example.com`),
            where a proxy does not pass them on.
        max_pg_conn: the most connections it opens of its own, at least 1.
        prepared_statements: False behind a pooler in transaction mode.

    Raises:
        ConfigurationError: something of it makes no sense.

    Example:
        app.mount("/jobs", create_admin_app(database_url, auth=basic_auth("admin", password)))
    """
    if not callable(auth):
        raise ConfigurationError(
            f"auth must be a function that tells who asks, or basic_auth(…) and the like; to let "
            f"everybody in, write auth=allow_all(), got {auth!r}"
        )
    opener, owned = _opener(
        database_or_url, max_pg_conn=max_pg_conn, prepared_statements=prepared_statements
    )
    options = AppOptions(
        auth=auth,
        read_only=read_only,
        environment=environment,
        crontabs=tuple(built(parsed(crons))),
        redactor=Redactor(redact),
        on_action=on_action,
        keep_audit=keep_audit,
        hooks=hooks,
        origin=checked_origin(origin),
    )
    return AdminApp(Sessions(opener, Schema(schema), owned=owned), options)


def standalone_app(  # noqa: PLR0913 (the command's options)
    url: str,
    auth: Authenticator,
    sign_in: SignIn | None,
    *,
    schema: str,
    read_only: bool,
    environment: str,
    crons: AnyCron | Iterable[object],
    max_pg_conn: int,
    secret_was_generated: bool,
    keep_audit: bool,
    origin: str | None,
) -> AdminApp:
    """The application of `graphile-worker admin`; see `create_admin_app`.

    Args:
        url: of the database.
        auth: tells who asks.
        sign_in: the link that lets a browser in, around `auth`. None: nobody is asked who they are,
            and so this is reached by the names of this machine only, or a site whose name leads
            here could use the browsers of its visitors.
        schema: where the tables are.
        read_only: nobody may change anything.
        environment: what people call this place.
        crons: entries to show.
        max_pg_conn: the most connections it opens.
        secret_was_generated: whether the secret of `auth` was made up.
        keep_audit: keep the audit in the database.
        origin: scheme and host under which browsers reach this.
    """
    opener, owned = _opener(url, max_pg_conn=max_pg_conn, prepared_statements=True)
    options = AppOptions(
        auth=auth if sign_in is None else sign_in,
        read_only=read_only,
        environment=environment,
        crontabs=tuple(built(parsed(crons))),
        hosts=LOOPBACK if sign_in is None else None,
        more_endpoints=() if sign_in is None else (sign_in.endpoint(),),
        secret_was_generated=secret_was_generated,
        keep_audit=keep_audit,
        origin=checked_origin(origin),
    )
    return AdminApp(Sessions(opener, Schema(schema), owned=owned), options)


def _opener(
    database_or_url: object, *, max_pg_conn: int, prepared_statements: bool
) -> tuple[Callable[[], Awaitable[Database]], bool]:
    """What opens the database, and whether it is ours to close."""
    if isinstance(database_or_url, str):
        if max_pg_conn < 1:
            raise ConfigurationError(f"max_pg_conn must be at least 1, got {max_pg_conn}")
        opener = functools.partial(
            open_database,
            database_or_url,
            max_connections=max_pg_conn,
            prepared_statements=prepared_statements,
        )
        return opener, True
    database = bind(database_or_url).database
    if database is None:
        raise ConfigurationError(
            "the admin page needs a pool, an engine or a URL: it serves many at once, and a single "
            "connection is somebody's transaction"
        )

    async def given() -> Database:
        return database

    return given, False


def _those_with_more_in_them_first(endpoints: list[Endpoint]) -> list[Endpoint]:
    """`a/{name:text}/b` before `a/{name:text}`, which is also true of it; and `a/b` before both."""
    return sorted(endpoints, key=lambda one: (one.path.count("{"), -len(one.path.split("/"))))
