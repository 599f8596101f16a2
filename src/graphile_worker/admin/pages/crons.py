"""Recurring jobs: when they ran, when they run next."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.buttons import Button, allowed
from graphile_worker.admin.pages.cron_strip import legend, strip
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.crons import CronEntry
from graphile_worker.client.operations.history import HistoryStatus
from graphile_worker.errors import DatabaseError
from graphile_worker.payloads.reserved_keys import CRON


async def crons(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /cron`."""
    v = await site.view(request, viewer)
    try:
        found = await site.reading.crons()
        kept = (await site.samples.kept.get()).value
    except DatabaseError as error:
        return trouble(request, v, error)
    return render(
        request,
        "cron.html",
        v,
        title="Cron",
        section="cron",
        entries=[_row(v, site, entry) for entry in found],
        acts=allowed(v, "enqueue") or allowed(v, "pause"),
        footer=words.plural(len(found), "entry", "entries"),
        legend=legend([run for entry in found for run in entry.last_runs]),
        note=_note(kept) if any(entry.last_runs for entry in found) else "",
    )


def _row(v: View, site: Site, entry: CronEntry) -> dict[str, Any]:
    return {
        "identifier": entry.identifier,
        "paused": entry.paused_at is not None,
        "expression": entry.expression,
        "in_words": entry.in_words,
        "options": " · ".join(f"{name} {text}" for name, text in entry.options.items()),
        "next": entry.next_runs,
        "fill": _fill(entry),
        "last_run": entry.last_run,
        "last_job": _last_job(v, entry),
        "strip": strip(v, entry.last_runs),
        "badge": _badge(v, entry),
        "task": entry.task,
        "workers": entry.workers,
        "acts": _acts(v, site, entry),
    }


def _fill(entry: CronEntry) -> str:
    return "none" if entry.fill_seconds == 0 else words.span(entry.fill_seconds)


def _last_job(v: View, entry: CronEntry) -> str | None:
    """Where the job of the last run is, if it is there still; its payload tells which one it is."""
    if entry.task is None or entry.last_ts is None or "view_payload" not in v.may:
        return None
    return v.url("jobs", task=entry.task, payload=f"{CRON}.ts={entry.last_ts}")


def _note(kept: HistoryStatus | None) -> str:
    """What is not recorded, and how to begin."""
    log = "off" if kept is None else kept.config.run_log
    if log == "all":
        return ""
    what = "Runs that went well" if log == "failed" else "Runs"
    return f"{what} are not recorded; `graphile-worker history install --run-log all` begins"


def _badge(v: View, entry: CronEntry) -> object:
    if entry.expression is None:
        return v.badge("", "?", "Not in a known crontab")
    if entry.late_since is not None:
        late = words.span((v.now - entry.late_since).total_seconds())
        return v.badge("failed", "⚠", f"{late} late")
    return v.badge("ok", "✓", "On time") if entry.known_since else v.badge("", "◷", "Not run yet")


def _acts(v: View, site: Site, entry: CronEntry) -> list[Button]:
    acts: list[Button] = []
    if allowed(v, "enqueue") and site.reading.crontab(entry.identifier) is not None:
        acts.append(Button("Run now", v.url("cron", "run", name=entry.identifier)))
    if allowed(v, "pause"):
        act = "pause" if entry.paused_at is None else "resume"
        acts.append(Button(act.capitalize(), v.url(act, kind="cron", name=entry.identifier)))
    return acts
