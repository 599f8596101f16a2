"""Named queues: who holds them, what waits in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.attention import is_held
from graphile_worker.admin.pages.buttons import Button, allowed
from graphile_worker.admin.pages.cards import job_cards
from graphile_worker.admin.pages.messages import not_there, trouble
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import NONE, View
from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.filters import filter_of
from graphile_worker.admin.service.groups import QueueCounts
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.admin_jobs import JobRow
from graphile_worker.queries.admin_samples import Holder

_MOST: Final = 500
_NEXT: Final = 10
_STATES: Final = (("Waiting", "waiting"), ("Scheduled", "later"), ("Failed", "failed"))
_BADGES: Final = {
    "free": ("ok", "✓", "Free"),
    "busy": ("running", "▶", "Busy"),
    "paused": ("blocked", "‖", "Paused"),
    "resuming": ("retrying", "↻", "Resuming"),
    "held": ("stuck", "⚠", "Held"),
}


async def queues(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /queues`; with `name`, the one."""
    if "name" in request.query_params:
        return await queue(request, site, viewer)
    v = await site.view(request, viewer)
    try:
        figures = (await site.samples.figures.get()).value
    except DatabaseError as error:
        return trouble(request, v, error)
    rows = sorted(
        figures.queues, key=lambda row: (row.queue is not None, -row.counts.of("waiting"))
    )
    return render(
        request,
        "queues.html",
        v,
        title="Queues",
        section="queues",
        queues=[_row(v, row) for row in rows[:_MOST]],
        acts=allowed(v, "pause"),
        footer=_footer(figures, v.now),
    )


async def queue(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /queues/{name}`."""
    v = await site.view(request, viewer)
    name = request.path_params.get("name") or request.query_params.get("name", "")
    try:
        figures = (await site.samples.figures.get()).value
        row = next((row for row in figures.queues if row.queue == name), None)
        if row is None:
            return not_there(request, v, f"No queue {name[:128]!r} is known in this schema.")
        holder = await site.reading.jobs.queue_holder(name)
        page = await site.reading.jobs.find(filter_of(queue=name, state="waiting"), limit=_NEXT)
    except DatabaseError as error:
        return trouble(request, v, error)
    return render(
        request,
        "queue.html",
        v,
        title=f"Queue {name}",
        section="queues",
        queue=name,
        badge=v.badge(*_BADGES[row.state]),
        why=_why(v, row, holder, page.rows),
        acts=_acts(v, row),
        cards=job_cards(v, row.counts, queue=name),
        next=page.rows,
    )


def _row(v: View, row: QueueCounts) -> dict[str, Any]:
    return {
        "queue": row.queue,
        "badge": v.badge(*_BADGES[row.state]) if row.queue is not None else words.UNKNOWN,
        "holder": v.mono(row.locked_by),
        "held_for": _held_for(v, row),
        "states": [(title, state, row.counts.of(state)) for title, state in _STATES],
        "oldest": row.counts.oldest_ready_at,
        "acts": _acts(v, row),
    }


def _held_for(v: View, row: QueueCounts) -> Markup:
    """A pause is a lock that lies in the future, and began nobody knows when."""
    if row.locked_at is None or row.state in {"paused", "resuming"}:
        return NONE
    return v.since(row.locked_at)


def _acts(v: View, row: QueueCounts) -> list[Button]:
    if row.queue is None or not allowed(v, "pause"):
        return []
    if row.state in {"paused", "resuming"}:
        return [Button("Resume", v.url("resume", kind="queue", name=row.queue))]
    acts = [Button("Pause", v.url("pause", kind="queue", name=row.queue))]
    if row.state == "held" and row.locked_by and allowed(v, "unlock"):
        acts.append(Button("Release", v.url("workers", "unlock", worker=row.locked_by), "danger"))
    return acts


def _why(v: View, row: QueueCounts, holder: Holder | None, next_jobs: Sequence[JobRow]) -> Markup:
    who = (row.locked_by or "").partition(":")[2] or "somebody"
    match row.state, holder:
        case "paused", None:
            return Markup("{} paused it: no worker takes its jobs, of whatever kind it is.").format(
                who
            )
        case "paused", _:
            return Markup("{} paused it; {} is still running and ends as usual.").format(
                who, _running(v, holder)
            )
        case "resuming", _:
            end = Markup("{} ends").format(_running(v, holder)) if holder else "a worker sees it"
            return Markup("It goes on when {}.").format(end)
        case "busy", Holder():
            return Markup("It runs {}, since {}; the others wait.").format(
                _running(v, holder), v.ago(row.locked_at)
            )
        case "held" | "busy", _:
            return Markup(
                "{} has held it since {}, and runs no job of it: a worker that died there, or one "
                "that is just letting go."
            ).format(v.mono(row.locked_by), v.ago(row.locked_at))
        case _:
            first = "the next worker takes its first job" if next_jobs else "nothing is due"
            return Markup("It is free; {}.").format(first)


def _running(v: View, holder: Holder | None) -> Markup:
    if holder is None:
        return Markup("a job")
    return Markup("job {} ({}) on {}").format(
        v.job(holder.job_id), v.mono(holder.task), v.mono(holder.locked_by)
    )


def _footer(figures: Figures, now: datetime) -> str:
    named = sum(row.queue is not None for row in figures.queues)
    held = sum(is_held(row, now) for row in figures.queues)
    shown = f" · the first {_MOST}" if named > _MOST else ""
    return f"{words.plural(named, 'named queue')}{shown}" + (
        f" · {held} held for long" if held else ""
    )
