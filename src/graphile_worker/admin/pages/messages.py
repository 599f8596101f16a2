"""Pages that have nothing to show but a reason, and where to go instead."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages.problems import problem_of
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.view import View


def message(
    request: Request,
    v: View,
    status: int,
    title: str,
    text: str,
    *,
    links: Sequence[dict[str, str]] = (),
    section: str = "",
) -> Response:
    """A title, a sentence, and links."""
    return render(
        request,
        "message.html",
        v,
        status=status,
        title=title,
        text=text,
        links=links,
        section=section,
        live=False,
    )


def trouble(request: Request, v: View, error: Exception) -> Response:
    """What an error of the service is, as a page."""
    found = problem_of(error)
    again = {"url": "", "text": "Try again"}
    return message(request, v, found.status, found.title, found.text, links=[*found.links, again])


def not_there(request: Request, v: View, what: str) -> Response:
    """404."""
    overview = {"url": v.url(""), "text": "Overview"}
    return message(request, v, 404, "There is no such page", what, links=[overview])
