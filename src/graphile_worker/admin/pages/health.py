"""How the database, the schema and this page are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.attention import BUSY, DEAD_ROWS, DEAD_SHARE
from graphile_worker.admin.pages.buttons import Button, allowed
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.health import Health
from graphile_worker.errors import DatabaseError
from graphile_worker.migrations.catalog import LATEST

SKEW: Final = 2.0
"""Seconds by which clocks may differ."""
OLD_TRANSACTION: Final = 900.0
UPKEEP: Final = (
    ("gc-task-identifiers", "Delete unused tasks"),
    ("gc-job-queues", "Delete unused queues"),
    ("delete-permanently-failed-jobs", "Delete failed jobs"),
)
"""What `WorkerUtils.cleanup` can do, and how its buttons say it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check; `fine` None: a warning."""

    title: str
    fine: bool | None
    found: str
    remedy: str = ""
    badge: Markup | str = ""


async def health(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /health`."""
    v = await site.view(request, viewer)
    try:
        found = (await site.samples.health.get(fresh=True)).value
    except DatabaseError as error:
        return trouble(request, v, error)
    checks = [_marked(v, check) for check in checks_of(found, site.samples.busy)]
    bad = sum(check.fine is not True for check in checks)
    return render(
        request,
        "health.html",
        v,
        title="Health",
        section="health",
        checks=checks,
        summary=f"checked {v.clock(v.now)} · "
        + (f"{bad} of {len(checks)} need a look" if bad else "all in order"),
        tables=[
            {
                "name": table.name,
                "bytes": table.table_bytes,
                "index_bytes": table.index_bytes,
                "live": table.live_rows,
                "dead": table.dead_rows,
                "vacuumed_at": table.vacuumed_at,
            }
            for table in found.tables
        ],
        facts=_facts(v, site, found),
        acts=_acts(v),
    )


def checks_of(found: Health, busy: float) -> list[Check]:
    """All checks of this screen."""
    server = found.server
    old = server.oldest_transaction
    skew = abs(found.clock_skew)
    bloated = [
        table.name
        for table in found.tables
        if (table.dead_rows or 0) > max(DEAD_ROWS, DEAD_SHARE * (table.live_rows or 0))
    ]
    return [
        Check(
            "Schema",
            None if found.migrations_pending else True,
            f"revision {found.schema.revision}; this version knows {LATEST}",
            "graphile-worker migrate" if found.migrations_pending else "",
        ),
        Check(
            "Rows are visible",
            not found.pulse.rows_are_hidden,
            "row level security hides jobs" if found.pulse.rows_are_hidden else "all of them",
            "Use the owner of the tables, or a role with BYPASSRLS"
            if found.pulse.rows_are_hidden
            else "",
        ),
        Check(
            "Clocks",
            True if skew <= SKEW else None,
            f"this machine and the server differ by {words.span(skew)}",
            "" if skew <= SKEW else "Let both follow a time server",
        ),
        Check(
            "Long transactions",
            True if old is None or old < OLD_TRANSACTION else None,
            "none" if old is None else f"the oldest is open for {words.span(old)}",
            ""
            if old is None or old < OLD_TRANSACTION
            else "End it: deleted jobs pile up behind it",
        ),
        Check(
            "Autovacuum",
            None if bloated else True,
            f"behind on {', '.join(bloated)}" if bloated else "keeps up",
            "Vacuum by hand, and let autovacuum work more eagerly" if bloated else "",
        ),
        Check(
            "Statistics",
            True if server.counts_rows else None,
            "PostgreSQL counts changes" if server.counts_rows else "track_counts is off",
            "" if server.counts_rows else "Switch it on: autovacuum and throughput need it",
        ),
        Check(
            "Cost of looking",
            True if busy <= BUSY else None,
            f"{words.percent(busy)} % of one connection; counting all jobs takes "
            f"{words.span(found.figures_seconds)}, every {words.span(found.figures_period)}",
        ),
    ]


def _marked(v: View, check: Check) -> Check:
    kinds = {
        True: ("ok", "✓", "In order"),
        None: ("warn", "!", "Look"),
        False: ("bad", "✗", "Wrong"),
    }
    badge = v.badge(*kinds[check.fine])
    return Check(check.title, check.fine, check.found, check.remedy, badge)


def _facts(v: View, site: Site, found: Health) -> list[tuple[str, Any]]:
    return [
        ("PostgreSQL", found.server.version),
        ("Database", v.mono(found.schema.database)),
        ("Role", v.mono(found.schema.role)),
        ("Schema", v.mono(site.schema)),
        ("Connections of ours", v.number(found.server.connections)),
        ("Open pages", f"{site.streams.count} follow live"),
        ("Registry of workers", "there" if found.schema.has_registry else "not there"),
        ("Server's clock", v.moment(found.server.clock)),
    ]


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
