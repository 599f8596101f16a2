"""Questions and what their buttons do, as handlers of pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages.forms import fields_of
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.questions import Question, Told, ask, tell
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.changing import Changing
from graphile_worker.errors import ConfigurationError, DatabaseError, GraphileWorkerError

Given: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Doing:
    """What is at hand when something is done."""

    v: View
    site: Site
    changing: Changing
    actor: str


Asks: TypeAlias = Callable[[View, Site, Given], Awaitable[Question]]
Does: TypeAlias = Callable[[Doing, Given], Awaitable[Told]]
Handler: TypeAlias = Callable[[Request, Site, Viewer], Awaitable[Response]]


def asking(asks: Asks, section: str) -> Handler:
    """The page of a question."""

    async def handle(request: Request, site: Site, viewer: Viewer) -> Response:
        v = await site.view(request, viewer)
        try:
            question = await asks(v, site, dict(request.query_params))
        except (ConfigurationError, DatabaseError) as error:
            return trouble(request, v, error)
        return ask(request, v, question, section=section)

    return handle


def acting(asks: Asks, does: Does, section: str) -> Handler:
    """What its button does."""

    async def handle(request: Request, site: Site, viewer: Viewer) -> Response:
        v = await site.view(request, viewer)
        given = dict(await fields_of(request))
        try:
            if site.changing is None:
                raise ConfigurationError("nothing can be changed here: it is read-only")
            told = await does(Doing(v, site, site.changing, viewer.name), given)
        except DatabaseError as error:
            return trouble(request, v, error)
        except GraphileWorkerError as error:
            question = await asks(v, site, given)
            return ask(request, v, question.filled(given), problem=str(error), section=section)
        return tell(request, v, told, section=section)

    return handle
