"""Who did what: of all processes where it is kept, else as far as this one remembers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.service.audit import AuditEntry
from graphile_worker.errors import DatabaseError
from graphile_worker.payloads.shapes import is_list, is_mapping

_SIZE: Final = 100
_DIGITS: Final = 19
_ITEMS: Final = 20
_SHOWN: Final = 300
"""Characters of what something was done to."""
_COUNTS: Final = ("requested", "changed", "skipped")


async def audit(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /audit?before=`, a page of it."""
    v = await site.view(request, viewer)
    try:
        page = await site.audit.page(limit=_SIZE, before=_number(request.query_params))
    except DatabaseError as error:
        return trouble(request, v, error)
    more = page.is_kept and len(page.entries) == _SIZE
    return render(
        request,
        "audit.html",
        v,
        title="Audit",
        section="audit",
        entries=[_row(entry) for entry in page.entries],
        empty={
            "title": "Nothing was done yet",
            "text": "Everything that somebody does here, and every secret that somebody looks at, "
            "is listed, and is a line in the log graphile_worker.admin.service.audit.",
        },
        footer="All of it, of all processes"
        if page.is_kept
        else f"The newest {_SIZE} of this process; all of it is in its log. keep_audit=True keeps "
        "it in the database",
        next_url=v.url("audit", before=page.entries[-1].id) if more else None,
    )


def _row(entry: AuditEntry) -> dict[str, Any]:
    result = dict(entry.result)
    counts = {name: result.pop(name, None) for name in _COUNTS}
    return {
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action.replace("_", " "),
        "target": _text(entry.target),
        "rest": _text(result),
        **{name: count if isinstance(count, int) else None for name, count in counts.items()},
    }


def _text(values: Mapping[str, Any]) -> str:
    """`ids 1, 2 · reason …`, cut."""
    parts = [f"{name} {_plain(value)}".strip() for name, value in values.items()]
    return words.first_line(" · ".join(parts), _SHOWN)


def _plain(value: object) -> str:
    if is_mapping(value):
        return ", ".join(f"{name}={_plain(part)}" for name, part in value.items())
    if is_list(value):
        more = " …" if len(value) > _ITEMS else ""
        return ", ".join(map(_plain, value[:_ITEMS])) + more
    return str(value)


def _number(given: Mapping[str, str]) -> int | None:
    text = given.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None
