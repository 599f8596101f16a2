"""The one way in: who asks, from where, and whether they may, before anything is done."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from graphile_worker.admin.web.authentication import AuthCallable, header_of
from graphile_worker.admin.web.endpoint import Endpoint, Kind
from graphile_worker.admin.web.headers import with_security_headers
from graphile_worker.admin.web.limits import ANSWER_SECONDS, Rate, limited
from graphile_worker.admin.web.origin import check_origin
from graphile_worker.admin.web.permissions import Identity
from graphile_worker.admin.web.problems import Problem, Refused, answer, forbidden, problem_of

ErrorPage: TypeAlias = Callable[[Request, "Identity | None", Problem], Awaitable[Response]]
"""A problem as a page; who asks is None where nobody knows."""


class _TextConvertor(PathConvertor):
    """`{name:text}`: a name of any characters, also those that end a line."""

    regex = r"[\s\S]*"


register_url_convertor("text", _TextConvertor())

_READ_METHODS: Final = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """How the gate is kept.

    Attributes:
        auth: who asks.
        read_only: whether nothing may be changed.
        origin: under which people reach this; None: as each request says.
        hosts: names under which this may be reached; None is any. For where nobody is asked who
            they are: a site whose name leads here could otherwise use its visitors' browsers.
        error_page: shows problems to people; None: as text.
    """

    auth: AuthCallable
    read_only: bool = False
    origin: str | None = None
    hosts: frozenset[str] | None = None
    error_page: ErrorPage | None = None


class Gate:
    """An ASGI application made of endpoints; what is no endpoint is refused."""

    def __init__(self, endpoints: Iterable[Endpoint], options: GateOptions) -> None:
        self._options = options
        self.rate = Rate()
        """Of changes, for each identity."""
        self.endpoints = tuple(endpoints)
        by_path: dict[str, dict[str, Endpoint]] = {}
        for endpoint in self.endpoints:
            methods = by_path.setdefault(endpoint.path, {})
            if endpoint.method in methods:
                raise AssertionError(f"two endpoints for {endpoint.method} {endpoint.path}")
            methods[endpoint.method] = endpoint
        self._routes = [(Route(path, _never), methods) for path, methods in by_path.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        out = with_security_headers(watched)
        endpoint, methods, child = self._match(scope)
        request = Request({**scope, **child}, limited(receive))
        identity: Identity | None = None
        try:
            if endpoint is None or endpoint.needs is not None:
                identity = await self._authenticated(scope)
            found = self._checked(endpoint, methods, scope, identity)
            response = await self._called(found, request, identity)
            await response(request.scope, request.receive, out)
        except ClientDisconnect:
            return
        except Exception as error:
            if started:
                raise
            problem = problem_of(error)
            response = await self._told(request, identity, endpoint, problem)
            await response(request.scope, request.receive, out)

    def _match(
        self, scope: Scope
    ) -> tuple[Endpoint | None, dict[str, Endpoint], dict[str, object]]:
        """The endpoint, all endpoints of its path, and what the path says.

        Names may hold anything, also what looks like the end of a longer path: so the method says
        which of several paths is meant.
        """
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        others: dict[str, Endpoint] = {}
        for route, methods in self._routes:
            match, child = route.matches({**scope, "method": "GET"})
            if match is Match.NONE:
                continue
            if method in methods:
                return methods[method], methods, dict(child)
            others.update(methods)
        return None, others, {}

    async def _authenticated(self, scope: Scope) -> Identity:
        self._check_host(scope)
        found = self._options.auth(scope)
        identity = await found if inspect.isawaitable(found) else found
        if identity is None:
            challenge = getattr(self._options.auth, "challenge", None)
            raise Refused(
                Problem(
                    401,
                    "unauthorized",
                    "Who are you?",
                    "unauthorized",
                    headers={} if challenge is None else {"WWW-Authenticate": challenge},
                )
            )
        return identity

    def _check_host(self, scope: Scope) -> None:
        if self._options.hosts is None:
            return
        host = (header_of(scope, "host") or "").lower()
        name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
        if name not in self._options.hosts:
            raise Refused(
                Problem(
                    403,
                    "host",
                    "This name does not lead here",
                    f"only {', '.join(sorted(self._options.hosts))}, got {host[:80]!r}",
                )
            )

    def _checked(
        self,
        endpoint: Endpoint | None,
        methods: dict[str, Endpoint],
        scope: Scope,
        identity: Identity | None,
    ) -> Endpoint:
        """The endpoint, if it is there for whoever asks."""
        if endpoint is None:
            raise _nothing_there(methods, scope)
        if endpoint.needs is None or identity is None:
            return endpoint
        is_change = scope["method"] not in _READ_METHODS
        if is_change:
            check_origin(scope, identity, origin=self._options.origin)
            if self._options.read_only and not endpoint.only_reads:
                raise _read_only(endpoint)
        if not identity.permissions.intersection(endpoint.needs):
            raise forbidden(endpoint.needs)
        if is_change:
            self.rate.take(identity.name)
        return endpoint

    async def _called(
        self, endpoint: Endpoint, request: Request, identity: Identity | None
    ) -> Response:
        who = identity or Identity.of("nobody", ())
        if endpoint.is_stream:
            return await endpoint.call(request, who)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await endpoint.call(request, who)
        except TimeoutError:
            raise Refused(
                Problem(503, "too-slow", "It took too long", f"more than {ANSWER_SECONDS:g} s")
            ) from None

    async def _told(
        self,
        request: Request,
        identity: Identity | None,
        endpoint: Endpoint | None,
        problem: Problem,
    ) -> Response:
        kind = _kind_of(request.scope) if endpoint is None else endpoint.kind
        if kind is Kind.PAGE and self._options.error_page is not None:
            return await self._options.error_page(request, identity, problem)
        return answer(problem, for_rust=kind is Kind.RUST)


def _nothing_there(methods: dict[str, Endpoint], scope: Scope) -> Refused:
    if not methods:
        return Refused(Problem(404, "not-found", "There is no such thing", "resource not found"))
    heads = {"HEAD"} if "GET" in methods else set[str]()
    allowed = sorted(methods.keys() | heads)
    return Refused(
        Problem(
            405,
            "method",
            "This cannot be done here",
            f"{scope['method'][:20]} is none of {', '.join(allowed)}",
            headers={"Allow": ", ".join(allowed)},
        )
    )


def _read_only(endpoint: Endpoint) -> Refused:
    detail = "nothing can be changed here"
    if endpoint.kind is Kind.RUST:
        detail = "admin UI is running in read-only mode"
    return Refused(Problem(403, "read-only", "Read-only mode", detail))


def _kind_of(scope: Scope) -> Kind:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    if path.startswith("/api/v1"):
        return Kind.API
    return Kind.RUST if path.startswith("/api") else Kind.PAGE


async def _never(_request: Request) -> Response:
    """Routes only match here; what they lead to is called by the gate."""
    raise AssertionError
