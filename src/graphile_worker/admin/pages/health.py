"""How the database, the schema and this page are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.buttons import Button, allowed
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.render import REGION, render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.health import Health
from graphile_worker.admin.service.samples import Sample, Sampled
from graphile_worker.client.operations.history import HistoryStatus
from graphile_worker.doctor.finding import Finding, Level
from graphile_worker.doctor.purposes import PURPOSES
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.admin_health import TableSize

UPKEEP: Final = (
    ("gc-task-identifiers", "Delete unused tasks"),
    ("gc-job-queues", "Delete unused queues"),
    ("delete-permanently-failed-jobs", "Delete failed jobs"),
)
"""What `WorkerUtils.cleanup` can do, and how its buttons say it."""
_PATIENCE: Final = 2.0
"""Seconds that a page waits for the checks; they go on without it."""
_AGAIN: Final = 5.0
"""Seconds after which the checks may be asked for again, or more where they take long."""
_BADGES: Final = {
    Level.OK: ("ok", "✓", "In order"),
    Level.WARNING: ("warn", "!", "Look"),
    Level.PROBLEM: ("bad", "✗", "Wrong"),
}


async def health(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /health`; with `again` the checks are made anew."""
    v = await site.view(request, viewer)
    again = "again" in request.query_params and REGION not in request.headers
    try:
        found = await findings_within(site.reading.findings, again=again)
    except DatabaseError as error:
        return trouble(request, v, error)
    state, kept = await _health(site)
    return render(
        request,
        "health.html",
        v,
        title="Health",
        section="health",
        checks=[] if found is None else [_row(v, finding) for finding in worst_first(found.value)],
        summary=_summary(v, found),
        again_url=v.url("health", again="yes"),
        tables=[] if state is None else [_table(table) for table in state.tables],
        facts=[] if state is None else _facts(v, site, state, kept),
        acts=_acts(v),
    )


async def findings_within(
    sampled: Sampled[list[Finding]], *, again: bool, patience: float = _PATIENCE
) -> Sample[list[Finding]] | None:
    """What the checks found; None while they are made for the first time, and take long.

    Args:
        sampled: makes them.
        again: make them anew, unless that was just done.
        patience: seconds after which they go on without us.

    Raises:
        DatabaseError: the database does not answer, and never did.
    """
    last = sampled.last
    anew = again and (last is None or (last.age > _AGAIN and not sampled.rest))
    try:
        async with asyncio.timeout(patience):
            return await sampled.get(fresh=anew)
    except TimeoutError:
        return last


async def _health(site: Site) -> tuple[Health | None, HistoryStatus | None]:
    """The figures, and what is kept; None where they cannot be had, as the checks will say."""
    try:
        found = (await site.samples.health.get(fresh=True)).value
        return found, (await site.samples.kept.get()).value
    except DatabaseError:
        return None, None


def worst_first(found: list[Finding]) -> list[Finding]:
    """Findings as one looks for them; those of a kind in the order in which to mend them."""
    order = (Level.PROBLEM, Level.WARNING, Level.OK)
    return sorted(found, key=lambda finding: order.index(finding.level))


def _row(v: View, finding: Finding) -> Mapping[str, Any]:
    return {
        "name": finding.check,
        "purpose": PURPOSES[finding.check],
        "badge": v.badge(*_BADGES[finding.level]),
        "found": finding.message,
        "items": finding.items if any(one not in finding.message for one in finding.items) else (),
        "remedy": finding.remedy,
    }


def _summary(v: View, found: Sample[list[Finding]] | None) -> str:
    if found is None:
        return "being made; they will appear here"
    bad = sum(finding.level is not Level.OK for finding in found.value)
    verdict = f"{bad} of {len(found.value)} need a look" if bad else "all in order"
    return f"checked {v.clock(found.at)} · {verdict}"


def _table(table: TableSize) -> Mapping[str, Any]:
    return {
        "name": table.name,
        "bytes": table.table_bytes,
        "index_bytes": table.index_bytes,
        "live": table.live_rows,
        "dead": table.dead_rows,
        "vacuumed_at": table.vacuumed_at,
    }


def _facts(v: View, site: Site, found: Health, kept: HistoryStatus | None) -> list[tuple[str, Any]]:
    server = found.server
    cost = f"{words.percent(site.samples.busy)} % of a connection, while somebody looks"
    seconds, every = found.figures_seconds, words.span(found.figures_period)
    counting = (
        f"it does not succeed; tried again after {every}"
        if seconds is None
        else f"{words.span(seconds)}, every {every}"
    )
    return [
        ("PostgreSQL", server.version),
        ("Database", v.mono(found.schema.database)),
        ("Role", v.mono(found.schema.role)),
        ("Schema", v.mono(site.schema)),
        ("Connections of ours", v.number(server.connections)),
        ("Connections that listen", v.number(server.listening)),
        ("Longest transaction", words.span(server.oldest_transaction)),
        ("Counts of changes", "kept" if server.counts_rows else "off: track_counts"),
        ("Cost of looking", cost),
        ("Counting all jobs takes", counting),
        ("Open pages", f"{site.streams.count} follow live"),
        ("History", _history(kept)),
        ("Registry of workers", "there" if found.schema.has_registry else "not there"),
        ("Server's clock", v.moment(server.clock)),
    ]


def _history(kept: HistoryStatus | None) -> str:
    if kept is None:
        return "not kept"
    log = {"off": "no attempts", "failed": "failed attempts", "all": "all attempts"}
    attempts = words.span(kept.config.kept("keep_runs").total_seconds())
    samples = words.span(kept.config.kept("keep_samples").total_seconds())
    return f"samples for {samples}, {log[kept.config.run_log]} for {attempts}"


def _acts(v: View) -> list[Button]:
    return (
        [
            Button(
                title, v.url("health", "clean", task=name), "danger" if "failed" in title else ""
            )
            for name, title in UPKEEP
        ]
        if allowed(v, "maintain")
        else []
    )
