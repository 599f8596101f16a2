"""Who did what: as far as this process remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.service.audit import KEPT, AuditEntry

_SIZE: Final = 100
_SHOWN: Final = 300
"""Characters of what something was done to."""
_COUNTS: Final = ("requested", "changed", "skipped")


async def audit(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /audit?from=`, a page of it."""
    v = await site.view(request, viewer)
    entries = site.audit.recent()
    start = _start(request.query_params.get("from", ""))
    page = entries[start : start + _SIZE]
    more = start + _SIZE < len(entries)
    return render(
        request,
        "audit.html",
        v,
        title="Audit",
        section="audit",
        entries=[_row(entry) for entry in page],
        empty={
            "title": "Nothing was done yet",
            "text": "Everything that somebody does here, and every secret that somebody looks at, "
            "is listed, and is a line in the log graphile_worker.admin.service.audit.",
        },
        footer=f"Of this process, the newest {words.number(KEPT)}; all of it is in its log.",
        next_url=v.url("audit", **{"from": start + _SIZE}) if more else None,
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
    match value:
        case dict():
            return ", ".join(f"{name}={_plain(part)}" for name, part in value.items())
        case list() | tuple():
            return ", ".join(map(_plain, value[:20])) + (" …" if len(value) > 20 else "")  # noqa: PLR2004 - enough to see
        case _:
            return str(value)


def _start(text: str) -> int:
    return min(int(text), KEPT) if text.isascii() and text.isdigit() and len(text) < 6 else 0  # noqa: PLR2004 - more than there are
