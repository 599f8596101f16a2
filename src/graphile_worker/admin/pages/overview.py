"""The first screen: what is wrong in words, then numbers, then charts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.live.counters import Bucket
from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.cards import job_cards, worker_card
from graphile_worker.admin.pages.charts import Chart, Series, bars, log_lines
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer, last
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.failures import FailureKind
from graphile_worker.admin.service.figures import Figures

RANGES: Final = {"15m": (timedelta(seconds=30), 30), "1h": (timedelta(minutes=1), 60)}
"""Name of a range to the width of its bars and their number."""
_LOAD_SECONDS: Final = 1_800.0
_MOST: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A chart with what stands around it."""

    chart: Chart
    source: str
    empty: str = ""
    legend: Markup | str = ""
    per: str = ""
    ranges: Sequence[Range] = ()


@dataclass(frozen=True, slots=True)
class Range:
    """A range that can be chosen, or why not."""

    name: str
    url: str | None
    here: bool
    why: str = ""


async def overview(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /`."""
    v = await site.view(request, viewer)
    samples = site.samples
    wanted = (samples.failures, samples.load, samples.crons, samples.health)
    await asyncio.gather(*(one.get() for one in wanted), return_exceptions=True)
    figures, failures = last(samples.figures), last(samples.failures)
    chosen = request.query_params.get("range", "1h")
    width, count = RANGES.get(chosen, RANGES["1h"])
    found = samples.counters.buckets(until=v.now, width=width, count=count)
    return render(
        request,
        "overview.html",
        v,
        title="Overview",
        section="overview",
        attention=_attention(v, site),
        cards=[] if figures is None else [*job_cards(v, figures.counts), worker_card(v, figures)],
        throughput=_throughput(v, found, chosen, samples.counters.since),
        wait=_wait(v, found, samples.counters.since),
        load=_load(v, last(samples.load)),
        tasks=[] if figures is None else backlog(v, figures),
        failures=[] if failures is None else _kinds(v, failures.kinds[:_MOST]),
    )


def _attention(v: View, site: Site) -> list[dict[str, str]] | None:
    found = site.attention()
    if found is None:
        return None
    return [
        {"what": one.what, "rest": one.rest, "url": v.url(*one.path, **one.query)}
        for one in found[:20]
    ]


def _throughput(v: View, found: Sequence[Bucket], chosen: str, since: datetime | None) -> Part:
    times = [v.clock(bucket.start)[:5] for bucket in found]
    done = Series(name="completed", mark="c1", values=[bucket.completed for bucket in found])
    failed = Series(name="failed attempts", mark="c2", values=[bucket.failed for bucket in found])
    added = Series(name="enqueued", mark="l3 dash", values=[bucket.enqueued for bucket in found])
    per = "per minute" if chosen != "15m" else "per 30 seconds"
    return Part(
        chart=bars(
            f"Throughput {per}",
            stacked=[done, failed],
            lines=[added],
            times=times,
            x_labels=spread(times),
        ),
        legend=legend([done, failed, added]),
        per=per,
        ranges=_ranges(v, chosen),
        source=f"Source: PostgreSQL's table counters, {collecting(v, since)}. Covers every worker, "
        "Python, Node or Rust; jobs that are deleted by hand count as completed.",
        empty=f"It is worked out from PostgreSQL's counters, {collecting(v, since)}.",
    )


def _ranges(v: View, chosen: str) -> list[Range]:
    ours = [Range(name, v.url("", range=name), here=name == chosen) for name in RANGES]
    why = "Nothing is recorded for so long"
    return [*ours, *(Range(name, None, here=False, why=why) for name in ("24h", "7d", "30d"))]


def _wait(v: View, found: Sequence[Bucket], since: datetime | None) -> Part:
    times = [v.clock(bucket.start)[:5] for bucket in found]
    oldest = Series(
        name="oldest ready", mark="l3 dash", values=[bucket.oldest for bucket in found], total=False
    )
    return Part(
        chart=log_lines(
            "Wait before start",
            lines=[oldest],
            times=times,
            x_labels=spread(times, 3),
            write=words.span,
        ),
        legend=legend([oldest], totals=False),
        source=f"How long the oldest ready job had been due, {collecting(v, since)}.",
        empty="It is collected while somebody looks.",
    )


def _load(v: View, load: list[int] | None) -> Part:
    counts = load or []
    step = timedelta(seconds=_LOAD_SECONDS)
    times = [v.clock(v.now + at * step)[:5] for at in range(len(counts))]
    series = Series(name="due", mark="c1", values=counts)
    return Part(
        chart=bars(
            "Scheduled jobs per half hour, the next 24 hours",
            stacked=[series],
            times=times,
            x_labels=("now", "+6 h", "+12 h", "+18 h", "+24 h"),
        ),
        source=f"{words.plural(sum(counts), 'job')} due within 24 hours, retries included.",
        empty="Nothing is known yet.",
    )


def backlog(_v: View, figures: Figures) -> list[dict[str, object]]:
    """The tasks with the most waiting jobs."""
    return [
        {
            "task": row.task,
            "ready": row.counts.of("waiting"),
            "oldest": row.counts.oldest_ready_at,
            "done_per_minute": None,
            "p95_run": None,
            "fail_share": None,
            "drains_in": "no worker" if row.workers == 0 else words.UNKNOWN,
        }
        for row in figures.tasks[:_MOST]
        if row.counts.of("waiting")
    ]


def _kinds(v: View, kinds: Sequence[FailureKind]) -> list[dict[str, object]]:
    return [
        {
            "task": kind.task,
            "fingerprint": kind.title,
            "jobs": kind.failed + kind.retrying,
            "last_at": kind.last_at,
            "url": v.url("jobs", task=kind.task, fingerprint=kind.fingerprint),
        }
        for kind in kinds
    ]


def spread(labels: Sequence[str], count: int = 5) -> tuple[str, ...]:
    """Some of the labels, from the first to the last at equal steps."""
    if not labels:
        return ()
    return tuple(labels[round(at * (len(labels) - 1) / (count - 1))] for at in range(count))


def legend(series: Sequence[Series], *, totals: bool = True) -> Markup:
    """What the colours and dashes stand for."""
    parts = Markup("").join(
        Markup("<span>{} {}{}</span>").format(
            swatch(one.mark),
            one.name,
            f" {words.number(sum(value or 0 for value in one.values))}" if totals else "",
        )
        for one in series
    )
    return Markup('<span class="legend">{}</span>').format(parts)


def swatch(mark: str) -> Markup:
    """A piece of a series, as it is drawn."""
    if mark.startswith("c"):
        shape = Markup('<rect class="{}" width="12" height="10"/>').format(mark)
        return Markup('<svg width="12" height="10" aria-hidden="true">{}</svg>').format(shape)
    shape = Markup('<path class="{}" d="M0 5h18"/>').format(mark)
    return Markup('<svg width="18" height="10" aria-hidden="true">{}</svg>').format(shape)


def collecting(v: View, since: datetime | None) -> str:
    """Since when there are readings."""
    return (
        "collected while somebody looks" if since is None else f"collected since {v.clock(since)}"
    )
