"""Recurring jobs: when they ran, when they run next."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.buttons import Button, allowed
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.crons import CronEntry
from graphile_worker.errors import DatabaseError


async def crons(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /cron`."""
    v = await site.view(request, viewer)
    try:
        found = await site.reading.crons()
        paused = {pause.name for pause in (await site.reading.paused()).crons}
    except DatabaseError as error:
        return trouble(request, v, error)
    return render(
        request,
        "cron.html",
        v,
        title="Cron",
        section="cron",
        entries=[_row(v, site, entry, is_paused=entry.identifier in paused) for entry in found],
        acts=allowed(v, "enqueue") or allowed(v, "pause"),
        footer=words.plural(len(found), "entry", "entries"),
    )


def _row(v: View, site: Site, entry: CronEntry, *, is_paused: bool) -> dict[str, Any]:
    return {
        "identifier": entry.identifier,
        "paused": is_paused,
        "expression": entry.expression,
        "in_words": f"in {entry.timezone}" if entry.timezone else "",
        "next": entry.next_runs,
        "last_run": entry.last_run,
        "badge": _badge(v, entry),
        "task": entry.task,
        "workers": entry.workers,
        "acts": _acts(v, site, entry, is_paused=is_paused),
    }


def _badge(v: View, entry: CronEntry) -> object:
    if entry.expression is None:
        return v.badge("", "?", "Not in a known crontab")
    if entry.late_since is not None:
        late = words.span((v.now - entry.late_since).total_seconds())
        return v.badge("failed", "⚠", f"{late} late")
    return v.badge("ok", "✓", "On time") if entry.known_since else v.badge("", "◷", "Not run yet")


def _acts(v: View, site: Site, entry: CronEntry, *, is_paused: bool) -> list[Button]:
    acts: list[Button] = []
    if allowed(v, "enqueue") and site.reading.crontab(entry.identifier) is not None:
        acts.append(Button("Run now", v.url("cron", "run", name=entry.identifier)))
    if allowed(v, "pause"):
        act = "resume" if is_paused else "pause"
        acts.append(Button(act.capitalize(), v.url(act, kind="cron", name=entry.identifier)))
    return acts
