"""What a browser chooses for itself, without a script."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import SETTINGS
from graphile_worker.admin.web.schemas import STEPS

_YEAR = 31_536_000


async def settings(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /settings`; with `save`, keeps what was chosen in cookies."""
    v = await site.view(request, viewer)
    given = request.query_params
    if "save" not in given:
        return render(request, "settings.html", v, title="Settings", live=False)
    answer = Response(status_code=303, headers={"Location": v.url("settings")})
    for name, choices in SETTINGS.items():
        if (value := given.get(name, "")) in choices:
            remember(request, site, answer, f"gw_{name}", value)
    return answer


def remember(request: Request, site: Site, answer: Response, name: str, value: str) -> None:
    """Let the browser that asks keep a choice, for the pages of all schemas, for a year."""
    root = request.scope.get("root_path", "")
    home = root if site.schema == site.schemas[0] else root.rsplit("/", STEPS)[0]
    answer.set_cookie(name, value, max_age=_YEAR, path=home + "/", samesite="lax")
