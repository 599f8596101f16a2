"""`create_admin_app`: the admin page and its API as an ASGI application."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.responses import RedirectResponse
from starlette.types import Receive, Scope, Send

from graphile_worker.admin.extensions.extensions import Extensions
from graphile_worker.admin.extensions.nav_links import checked_nav_links
from graphile_worker.admin.extensions.panels import JobPanel, JobPanels
from graphile_worker.admin.extensions.trace_url import checked_trace_url
from graphile_worker.admin.opening import SharedDatabase
from graphile_worker.admin.schema_site import AppOptions, SchemaSite
from graphile_worker.admin.service.audit import OnAction
from graphile_worker.admin.service.decoding import Decoding, PayloadDecoder
from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.web.authentication import AuthCallable
from graphile_worker.admin.web.loop_end import LoopEnd
from graphile_worker.admin.web.mounting import located, slash_is_missing
from graphile_worker.admin.web.origin import checked_origin
from graphile_worker.admin.web.schemas import below, checked_schemas, moved_below
from graphile_worker.cron.entries import AnyCron, built, parsed
from graphile_worker.database.schema import Schema
from graphile_worker.errors import ConfigurationError
from graphile_worker.hooks.registry import HookRegistry


class AdminApp:
    """The admin page and its API, as an ASGI application; made by `create_admin_app`.

    It connects when it is first asked for something. It lets go of its connections when its host
    tells it that the program ends, when `aclose` is called, or, without either, when the event loop
    ends; a pool that was given is left open.

    Args:
        database: where the schemas are.
        schemas: which ones. The first is at the root, each other one below `schemas/<name>`.
        options: of all of them; the crontabs and the endpoints that are added are the first one's.
    """

    def __init__(
        self, database: SharedDatabase, schemas: Sequence[Schema], options: AppOptions
    ) -> None:
        names = tuple(schema.name for schema in schemas)
        first, *others = schemas
        self._database = database
        self._extensions = options.extensions
        self._first = SchemaSite(database, first, names, options)
        self._others = {
            below(schema.name): SchemaSite(database, schema, names, options.for_another())
            for schema in others
        }
        self.parts, self.pages, self.gate = self._first.parts, self._first.pages, self._first.gate
        self._loop_end = LoopEnd(self._close)

    @property
    def sites(self) -> list[SchemaSite]:
        """What is served, schema by schema, the first one first."""
        return [self._first, *self._others.values()]

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

    async def ready(self) -> None:
        """Make sure that the database answers and has every schema.

        Raises:
            DatabaseError: it does not; a `SchemaMissingError`, where a schema is not there.
        """
        await self._loop_end.watch()
        for site in self.sites:
            await site.parts.reading.ready()

    async def aclose(self) -> None:
        """End what is under way and close the connections; what is asked later opens them again."""
        await self._loop_end.now()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        site, scope = self._site_of(scope)
        elsewhere = slash_is_missing(scope)
        if elsewhere is None:
            await site.gate(scope, receive, send)
        else:
            await RedirectResponse(elsewhere)(scope, receive, send)

    def _site_of(self, scope: Scope) -> tuple[SchemaSite, Scope]:
        """The site of the schema that is asked for, and the request as it looks from there."""
        for path, site in self._others.items():
            moved = moved_below(scope, path)
            if moved is not None:
                return site, moved
        return self._first, scope

    async def _close(self) -> None:
        for site in self.sites:
            site.pages.stop()
        for site in self.sites:
            await site.aclose()
        self._extensions.panels.close()
        await self._database.aclose()

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
    more_schemas: Iterable[str] = (),
    read_only: bool = False,
    environment: str = "",
    crons: AnyCron | Iterable[object] = (),
    redact: Iterable[str] = (),
    payload_decoder: PayloadDecoder | None = None,
    job_panels: Iterable[JobPanel] = (),
    nav_links: Iterable[tuple[str, str]] = (),
    trace_url: str | None = None,
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
            `Identity`, or None for nobody; or one of `basic_auth`, `bearer_auth`, `header_auth`,
            `proxy_header_auth` and `allow_all`.
        schema: where the tables are.
        more_schemas: others in the same database, each below `schemas/<name>/`; the pages have a
            switch between them.
        read_only: nobody may change anything, and PostgreSQL refuses it too.
        environment: what people call this place, shown in the page; `production` is shown in red.
        crons: entries of `schema` to show with their next runs, and to run by hand; as
            `WorkerOptions` takes them.
        redact: names of keys, beside those that are hidden anyway, whose values are hidden in
            payloads and errors.
        payload_decoder: makes payloads readable that are stored in a form of your own, before
            secrets are hidden: a function (async, if it likes) of the task and the JSON text that
            is stored, which answers with the JSON text to show.
        job_panels: functions (async, if they like) of a `ShownJob`, which answer with a `Panel` for
            the page of that job, or None. They have 2 seconds; what one raises is shown in its
            place.
        nav_links: labels and addresses (`http`, `https`, `mailto`, or a path on the same host),
            shown below the screens.
        trace_url: the address of a trace, with `{trace_id}` and, if you like, `{span_id}` in it;
            linked from jobs whose payload tells of one in `_trace` or `traceparent`.
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
    database = SharedDatabase.of(
        database_or_url, max_pg_conn=max_pg_conn, prepared_statements=prepared_statements
    )
    options = AppOptions(
        auth=auth,
        read_only=read_only,
        environment=environment,
        crontabs=tuple(built(parsed(crons))),
        redactor=Redactor(redact),
        decoding=Decoding(payload_decoder),
        extensions=Extensions(
            panels=JobPanels(job_panels),
            nav_links=checked_nav_links(nav_links),
            trace_url=checked_trace_url(trace_url),
        ),
        on_action=on_action,
        keep_audit=keep_audit,
        hooks=hooks,
        origin=checked_origin(origin),
    )
    return AdminApp(database, checked_schemas(schema, more_schemas), options)
