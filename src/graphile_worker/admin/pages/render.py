"""From templates to responses: whole pages, or the regions of one that a script asks for."""

from __future__ import annotations

import gzip
from functools import lru_cache
from typing import Any, Final

import jinja2
from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages.view import View

REGION: Final = "X-Region"
"""The header in which the script names the regions that it wants, with commas between."""
_FRAME: Final = "base.html"
_WORTH_COMPRESSING: Final = 1_000


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The templates; everything they write is escaped, and a name they do not know is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("graphile_worker.admin", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def render(
    request: Request, template: str, view: View, *, status: int = 200, **context: Any
) -> Response:
    """Answer with a page, or with those regions of it that are asked for.

    Args:
        request: whose headers say what is wanted.
        template: its name.
        view: how links and times are written.
        status: of the answer.
        context: what the template shows.
    """
    values = {"live": True, "section": "", **context, "v": view}
    names = request.headers.get(REGION, "")
    html = _regions(template, names.split(","), values) if names else ""
    return compressed(
        request, html or environment().get_template(template).render(values), status=status
    )


def compressed(request: Request, html: str, *, status: int = 200) -> Response:
    """HTML, gzipped where the browser takes it."""
    body = html.encode()
    headers = {"Vary": f"Accept-Encoding, {REGION}", "Cache-Control": "no-store"}
    if len(body) > _WORTH_COMPRESSING and "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, compresslevel=5, mtime=0)
    return Response(body, status, headers, media_type="text/html; charset=utf-8")


def _regions(template: str, names: list[str], values: dict[str, Any]) -> str:
    """The blocks `region_<name>`, of the template or of the frame around it."""
    found = environment().get_template(template)
    frame = environment().get_template(_FRAME)
    context = found.new_context(values)
    parts: list[str] = []
    for name in names[:20]:
        for owner in (found, frame):
            if block := owner.blocks.get(f"region_{name.strip()}"):
                parts.extend(block(context))
                break
    return "".join(parts)
