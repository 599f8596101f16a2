"""Files: those of ours, and jobs as lines of JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import datetime
from enum import Enum
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from graphile_worker.admin.pages.assets import assets
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.wanted import filter_for
from graphile_worker.errors import ConfigurationError
from graphile_worker.payloads.codec import from_json, to_json
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
    """`GET /jobs/export`: the jobs of a filter, or those that are selected, a line each."""
    ids = [int(value) for value in request.query_params.getlist("id") if value.isdigit()][:200]
    may = viewer.permissions
    try:
        wanted = filter_for(site, may, dict(request.query_params))
    except ConfigurationError as error:
        return trouble(request, await site.view(request, viewer), error)
    await site.audit.tell(viewer.name, "export", {"ids": ids} if ids else {"filter": wanted.fields})
    shows = "view_payload" in may

    async def lines() -> AsyncIterator[bytes]:
        if ids:
            yield b"".join(
                line_of(row, shows=shows) for row in await site.reading.rows(ids, payloads=shows)
            )
            return
        async for rows in site.reading.export(wanted):
            yield b"".join(line_of(row, shows=shows) for row in rows)

    headers = {
        "Content-Disposition": 'attachment; filename="jobs.ndjson"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(lines(), media_type="application/x-ndjson", headers=headers)


def line_of(row: JobRow, *, shows: bool) -> bytes:
    """A job as a line of JSON; with its payload, if that may be shown and is not too big."""
    values: dict[str, Any] = {
        field.name: _plain(getattr(row, field.name)) for field in dataclasses.fields(row)
    }
    values["payload"] = from_json(row.payload) if shows and row.payload is not None else None
    return to_json(values).encode() + b"\n"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
