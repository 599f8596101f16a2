"""Files: those of ours, and jobs as lines of JSON or as CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from graphile_worker.admin.pages.assets import assets
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.wanted import filter_for
from graphile_worker.admin.service.exporting import FORMS, NDJSON
from graphile_worker.errors import ConfigurationError
from graphile_worker.queries.admin_jobs import JobRow


async def static(request: Request) -> Response:
    """`GET /static/{digest}/{name}`: may be kept for ever, since its address says what is in it."""
    found = assets().get(request.path_params["name"])
    if found is None or found.digest != request.path_params["digest"]:
        return Response("there is no such file", 404, media_type="text/plain")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.gzipped, headers=headers, media_type=found.kind)
    return Response(found.body, headers=headers, media_type=found.kind)


async def export(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /jobs/export`: the jobs of a filter, or those that are selected; `as=csv` for CSV."""
    ids = [int(value) for value in request.query_params.getlist("id") if value.isdigit()][:200]
    form = FORMS.get(request.query_params.get("as", ""), NDJSON)
    may = viewer.permissions
    try:
        wanted = filter_for(site, may, dict(request.query_params))
    except ConfigurationError as error:
        return trouble(request, await site.view(request, viewer), error)
    await site.audit.tell(viewer.name, "export", {"ids": ids} if ids else {"filter": wanted.fields})
    shows = "view_payload" in may
    chunks = _selected(site, ids, shows=shows) if ids else site.reading.jobs.export(wanted)
    return StreamingResponse(
        form.file(chunks, shows=shows), media_type=form.media_type, headers=form.headers
    )


async def _selected(site: Site, ids: Sequence[int], *, shows: bool) -> AsyncIterator[list[JobRow]]:
    yield await site.reading.jobs.rows(ids, payloads=shows)
