"""Charts over time: what went through the queue, how long jobs waited, what is still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from graphile_worker.admin.live.counters import Bucket, Counters
from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.charts import Chart, Series, bars, log_lines
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.past import Past
from graphile_worker.client.operations.history import Period, SamplePoint

LOAD_SECONDS: Final = 1_800.0


@dataclass(frozen=True, slots=True)
class Range:
    """How far back a chart goes, and how wide its bars are; matches what history is kept by."""

    name: str
    length: timedelta
    step: timedelta
    per: str

    @property
    def count(self) -> int:
        """The number of bars."""
        return self.length // self.step


RANGES: Final = (
    Range("15m", timedelta(minutes=15), timedelta(seconds=30), "per 30 seconds"),
    Range("1h", timedelta(hours=1), timedelta(minutes=1), "per minute"),
    Range("24h", timedelta(hours=24), timedelta(hours=1), "per hour"),
    Range("7d", timedelta(days=7), timedelta(hours=1), "per hour"),
    Range("30d", timedelta(days=30), timedelta(days=1), "per day"),
)
IN_MEMORY: Final = ("15m", "1h")
"""Ranges for which this process remembers enough itself."""


@dataclass(frozen=True, slots=True)
class RangeLink:
    """A range that can be chosen, or why not."""

    name: str
    url: str | None
    here: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A chart with what stands around it."""

    chart: Chart
    source: str
    empty: str = ""
    legend: Markup | str = ""
    per: str = ""
    title: str = ""
    ranges: Sequence[RangeLink] = ()


def range_of(name: str | None) -> Range:
    """The range of this name; an hour where there is none."""
    return next((one for one in RANGES if one.name == name), RANGES[1])


async def recorded(past: Past, chosen: Range, until: datetime) -> list[Bucket]:
    """What history says of a range."""
    points = await past.samples(chosen.length + 2 * chosen.step, chosen.step)
    periods = await past.periods(chosen.length)
    return filled(points, periods, chosen, until)


def filled(
    points: Sequence[SamplePoint], periods: Sequence[Period], chosen: Range, until: datetime
) -> list[Bucket]:
    """Samples and the work of workers, put where they belong in a range."""
    seconds = chosen.step.total_seconds()
    end = (until.timestamp() // seconds + 1) * seconds
    first = end - chosen.count * seconds
    found = [
        Bucket(datetime.fromtimestamp(first + at * seconds, until.tzinfo))
        for at in range(chosen.count)
    ]
    for point in points:
        place = int((point.at.timestamp() - first) // seconds)
        if 0 <= place < chosen.count and point.flow is not None:
            found[place] = replace(
                found[place],
                enqueued=(found[place].enqueued or 0) + point.flow.enqueued,
                completed=(found[place].completed or 0) + point.flow.completed,
                failed=(found[place].failed or 0) + round(point.flow.failed_attempts),
                oldest=max(found[place].oldest or 0.0, point.queue.oldest_ready),
            )
    for period in periods:
        place = int((period.at.timestamp() - first) // seconds)
        if 0 <= place < chosen.count and period.wait is not None:
            found[place] = replace(found[place], p50=period.wait.p50, p95=period.wait.p95)
    return found


def remembered(counters: Counters, chosen: Range, until: datetime) -> list[Bucket]:
    """What this process saw itself."""
    return counters.buckets(until=until, width=chosen.step, count=chosen.count)


def throughput(
    v: View, found: Sequence[Bucket], chosen: Range, *, is_kept: bool, since: datetime | None
) -> Part:
    """Bars of what was completed and what failed, a line of what was added."""
    times = [_time(v, bucket.start, chosen) for bucket in found]
    done = Series(name="completed", mark="c1", values=[bucket.completed for bucket in found])
    failed = Series(name="failed attempts", mark="c2", values=[bucket.failed for bucket in found])
    added = Series(name="enqueued", mark="l3 dash", values=[bucket.enqueued for bucket in found])
    source = "recorded each minute" if is_kept else collecting(v, since)
    return Part(
        chart=bars(
            f"Throughput {chosen.per}",
            stacked=[done, failed],
            lines=[added],
            times=times,
            x_labels=spread(times),
        ),
        legend=legend([done, failed, added]),
        per=chosen.per,
        ranges=[_link(v, one, chosen, is_kept=is_kept) for one in RANGES],
        source=f"Source: PostgreSQL's table counters, {source}. Covers every worker, Python, Node "
        "or Rust; jobs that are deleted by hand count as completed.",
        empty=f"It is worked out from PostgreSQL's counters, {source}.",
    )


def wait(
    v: View, found: Sequence[Bucket], chosen: Range, *, is_kept: bool, since: datetime | None
) -> Part:
    """How long jobs waited, beside how long the oldest one that waits has.

    What has ended says nothing when a queue stands still.
    """
    times = [_time(v, bucket.start, chosen) for bucket in found]
    lines = [
        Series(name="oldest ready", mark="l3 dash", values=[b.oldest for b in found], total=False)
    ]
    if any(bucket.p50 is not None for bucket in found):
        lines = [
            Series(name="p50", mark="l1", values=[b.p50 for b in found], total=False),
            Series(name="p95", mark="l4 dots", values=[b.p95 for b in found], total=False),
            *lines,
        ]
    source = "recorded each minute" if is_kept else collecting(v, since)
    return Part(
        chart=log_lines(
            "Wait before start",
            lines=lines,
            times=times,
            x_labels=spread(times, 3),
            write=words.span,
        ),
        legend=legend(lines, totals=False),
        source=f"How long the oldest ready job had been due, {source}; percentiles are of first "
        "attempts on Python workers that keep history, within a quarter of the truth.",
        empty="It is collected while somebody looks.",
    )


def load(v: View, counts: Sequence[int] | None) -> Part:
    """How many jobs are due in each half hour of the next day."""
    step = timedelta(seconds=LOAD_SECONDS)
    values = counts or []
    return Part(
        chart=bars(
            "Scheduled jobs per half hour, the next 24 hours",
            stacked=[Series(name="due", mark="c1", values=values)],
            times=[v.clock(v.now + at * step)[:5] for at in range(len(values))],
            x_labels=("now", "+6 h", "+12 h", "+18 h", "+24 h"),
        ),
        source=f"{words.plural(sum(values), 'job')} due within 24 hours, retries included.",
        empty="Nothing is known yet.",
    )


def work(v: View, periods: Sequence[Period]) -> list[Part]:
    """What Python workers did of one task: how much, and how long it ran."""
    times = [v.moment(period.at)[:-3] for period in periods]
    done = Series(name="completed", mark="c1", values=[p.completed for p in periods])
    failed = Series(name="failed", mark="c2", values=[p.failed + p.dead for p in periods])
    runs = [
        Series(name=name, mark=mark, values=values, total=False)
        for name, mark, values in (
            ("p50", "l1", [None if p.run is None else p.run.p50 for p in periods]),
            ("p95", "l4 dots", [None if p.run is None else p.run.p95 for p in periods]),
        )
    ]
    source = "By Python workers that keep history; times without work are left out."
    empty = "Nothing is recorded. `graphile-worker history install` begins."
    labels = spread([time[-5:] for time in times], 3)
    return [
        Part(
            title="Attempts",
            chart=bars("Attempts", stacked=[done, failed], times=times, x_labels=labels),
            legend=legend([done, failed]),
            source=source,
            empty=empty,
        ),
        Part(
            title="Run time (log scale)",
            chart=log_lines(
                "Run time", lines=runs, times=times, x_labels=labels, write=words.span, floor=0.001
            ),
            legend=legend(runs, totals=False),
            source="Of attempts that completed, within a quarter of the truth.",
            empty=empty,
        ),
    ]


def spread(labels: Sequence[str], count: int = 5) -> tuple[str, ...]:
    """Some of the labels, from the first to the last at equal steps."""
    if len(labels) <= count:
        return tuple(labels)
    return tuple(labels[round(at * (len(labels) - 1) / (count - 1))] for at in range(count))


def legend(series: Sequence[Series], *, totals: bool = True) -> Markup:
    """What the colours and dashes stand for."""
    parts = Markup("").join(
        Markup("<span>{} {}{}</span>").format(
            _swatch(one.mark), one.name, f" {words.number(one.sum)}" if totals else ""
        )
        for one in series
    )
    return Markup('<span class="legend">{}</span>').format(parts)


def collecting(v: View, since: datetime | None) -> str:
    """Since when there are readings."""
    if since is None:
        return "collected while somebody looks"
    return f"collected since {v.clock(since)}, while somebody looks"


def _swatch(mark: str) -> Markup:
    """A piece of a series, as it is drawn."""
    if mark.startswith("c"):
        shape = Markup('<rect class="{}" width="12" height="10"/>').format(mark)
        return Markup('<svg width="12" height="10" aria-hidden="true">{}</svg>').format(shape)
    shape = Markup('<path class="{}" d="M0 5h18"/>').format(mark)
    return Markup('<svg width="18" height="10" aria-hidden="true">{}</svg>').format(shape)


def _link(v: View, one: Range, chosen: Range, *, is_kept: bool) -> RangeLink:
    is_there = is_kept or one.name in IN_MEMORY
    why = "Nothing is recorded for so long; `graphile-worker history install` begins"
    url = v.url("", range=one.name) if is_there else None
    return RangeLink(one.name, url, here=one is chosen, why=why)


def _time(v: View, moment: datetime, chosen: Range) -> str:
    """`14:32`, with the day where a range is longer than one."""
    local = moment.astimezone(v.settings.tzinfo)
    if chosen.length <= timedelta(days=1):
        return f"{local:%H:%M}" if chosen.step >= timedelta(minutes=1) else f"{local:%H:%M:%S}"
    day = f"{local:%b} {local.day}"
    return day if chosen.step >= timedelta(days=1) else f"{day} {local:%H:%M}"
