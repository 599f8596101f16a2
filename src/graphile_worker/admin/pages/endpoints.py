"""The pages as rows of the one table of endpoints, and problems as pages."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages.files import static
from graphile_worker.admin.pages.messages import message
from graphile_worker.admin.pages.routes import STATIC, Page, pages
from graphile_worker.admin.pages.site import Site
from graphile_worker.admin.parts import Parts
from graphile_worker.admin.web.authentication import AuthCallable
from graphile_worker.admin.web.endpoint import Call, Endpoint, Kind
from graphile_worker.admin.web.gate import ErrorPage
from graphile_worker.admin.web.permissions import Identity
from graphile_worker.admin.web.problems import Problem, Refused, answer

_STREAM = "/events"
_LONG = frozenset({_STREAM, "/jobs/export"})
"""Answers that may take any time."""


@dataclass(frozen=True, kw_only=True)
class PageSet:
    """Everything that the pages add to an application.

    Attributes:
        site: what they have at hand.
        endpoints: all of them, more exact paths first.
        error_page: a problem as a page.
        stop: ends the streams of events at once; an embedded server waits for them otherwise.
        aclose: waits for readings under way.
    """

    site: Site
    endpoints: tuple[Endpoint, ...]
    error_page: ErrorPage
    stop: Callable[[], None]
    aclose: Callable[[], Awaitable[None]]


def page_set(parts: Parts, auth: AuthCallable) -> PageSet:
    """The pages over one schema.

    Args:
        parts: what they show.
        auth: asked again and again whether who follows live may still look.
    """
    site = Site(
        reading=parts.reading,
        changing=parts.changing,
        audit=parts.audit,
        schema=parts.schema,
        schemas=parts.schemas,
        environment=parts.environment,
        extensions=parts.extensions,
    )

    async def allowed(request: Request) -> bool:
        try:
            found = auth(request.scope)
            identity = await found if inspect.isawaitable(found) else found
        except Refused:
            return False
        return identity is not None and "view" in identity.permissions

    async def serve_file(request: Request, _identity: Identity) -> Response:
        return await static(request)

    return PageSet(
        site=site,
        endpoints=(
            Endpoint(method="GET", path=STATIC, call=serve_file, needs=None, kind=Kind.PAGE),
            *(_endpoint(page, site) for page in pages(allowed)),
        ),
        error_page=_error_page(site),
        stop=site.streams.stop,
        aclose=site.aclose,
    )


def _endpoint(page: Page, site: Site) -> Endpoint:
    return Endpoint(
        method=page.method,
        path=page.path,
        call=_call(page, site),
        needs=(page.permission,),
        kind=Kind.PAGE,
        is_stream=page.path in _LONG,
        only_reads=page.permission == "reveal_payload",
    )


def _call(page: Page, site: Site) -> Call:
    async def call(request: Request, identity: Identity) -> Response:
        return await page.answer(request, site, identity)

    return call


def _error_page(site: Site) -> ErrorPage:
    async def show(request: Request, identity: Identity | None, problem: Problem) -> Response:
        """Who is not known gets the plain problem: a page would show them the frame."""
        if identity is None or "view" not in identity.permissions:
            return answer(problem)
        v = await site.view(request, identity)
        links = [{"url": v.url(""), "text": "Overview"}]
        response = message(
            request, v, problem.status, problem.title, f"{problem.detail}.", links=links
        )
        response.headers.update(problem.headers)
        return response

    return show
