"""Who did what."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer


async def audit(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /audit`."""
    v = await site.view(request, viewer)
    return render(
        request,
        "audit.html",
        v,
        title="Audit",
        section="audit",
        entries=[],
        empty={
            "title": "Nothing is kept in the database",
            "text": "Every change is a line in the log graphile_worker.admin.service.audit of this "
            "process.",
        },
        footer="",
        next_url=None,
    )
