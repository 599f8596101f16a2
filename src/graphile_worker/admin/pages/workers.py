"""Workers: those that tell that they live, and those that are known by their locks alone."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.buttons import Button, allowed
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.fleet import FleetMember
from graphile_worker.errors import DatabaseError

_MOST: Final = 500
_BADGES: Final = {
    "alive": ("ok", "✓", "Alive"),
    "stale": ("failed", "⚠", "Stale"),
    "unregistered": ("", "?", "Seen by its locks"),
}
_KINDS: Final = {"python": "Python", "node": "Node.js", "rust": "Rust", "unknown": words.UNKNOWN}


async def workers(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /workers`."""
    v = await site.view(request, viewer)
    try:
        figures = (await site.samples.figures.get()).value
    except DatabaseError as error:
        return trouble(request, v, error)
    may_unlock = allowed(v, "unlock")
    return render(
        request,
        "workers.html",
        v,
        title="Workers",
        section="workers",
        workers=[_row(v, member, may_unlock=may_unlock) for member in figures.fleet[:_MOST]],
        may_unlock=may_unlock,
        acts=[Button("Sweep", v.url("workers", "sweep"))] if allowed(v, "sweep") else [],
        footer=_footer(figures.fleet),
    )


def _row(v: View, member: FleetMember, *, may_unlock: bool) -> dict[str, Any]:
    is_dead = member.state != "alive" and (member.jobs or member.queues)
    where = " ".join(str(part) for part in (member.host, member.pid) if part is not None)
    return {
        "id": member.worker_id,
        "badge": v.badge(*_BADGES[member.state]),
        "kind": " ".join(
            part for part in (_KINDS.get(member.kind, member.kind), member.version) if part
        ),
        "host": where or words.UNKNOWN,
        "started_at": member.started_at,
        "heartbeat_at": member.last_heartbeat_at,
        "jobs": member.jobs,
        "slots": words.number(member.jobs)
        if member.concurrency is None
        else f"{words.number(member.jobs)} of {words.number(member.concurrency)}",
        "tasks": [v.mono(task) for task in member.tasks or ()],
        "unlock_url": v.url("workers", "unlock", worker=member.worker_id)
        if is_dead and may_unlock
        else None,
    }


def _footer(fleet: list[FleetMember]) -> str:
    counts = {state: sum(member.state == state for member in fleet) for state in _BADGES}
    parts = [
        f"{counts['alive']} alive",
        f"{counts['stale']} stale" if counts["stale"] else "",
        f"{counts['unregistered']} seen by their locks, which tell nothing else"
        if counts["unregistered"]
        else "",
    ]
    return " · ".join(part for part in parts if part)
