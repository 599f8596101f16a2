"""`./dev bench scale`: how the throughput of our worker changes with the size of things.

Each curve changes one thing; the rest is as in `./dev bench all`, for 24 slots and for the local
queue. The points of all curves are measured once in each round.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench import docs, fleet, plots
from bench.contenders import Contender, by_name
from bench.figures import Spread, short_spread
from bench.installing import find_programs
from bench.options import ScaleOptions, parse_scale
from bench.server import BenchServer
from bench.tables import Table, wide_console
from bench.templates import Jobs, Templates
from bench.throughput import Bench, measure

SERIES = ("ours_slots", "ours_local_queue")
JOBS = 100_000
QUICK_JOBS = 5_000
PAYLOADS_TOGETHER = 200_000_000
"""Bytes of payload in a table at most."""

Point = Callable[[Bench, Contender, int, "Effort"], Awaitable[float]]
"""Jobs a second at one x."""


@dataclass(frozen=True)
class Effort:
    """How many jobs a table has where that is not what changes, and the longest run."""

    jobs: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One thing that changes.

    Attributes:
        title: of the plot and of the table.
        x_name: what changes.
        xs: its values.
        quick: those of `--quick`.
        point: measures one.
    """

    title: str
    x_name: str
    xs: tuple[int, ...]
    quick: tuple[int, ...]
    point: Point


@dataclass
class Curves:
    """What was found: curve → series → x → a rate a round."""

    rates: dict[str, dict[str, dict[int, list[float]]]] = field(default_factory=dict)

    def add(self, curve: str, series: str, x: int, rate: float) -> None:
        """One more round of a point."""
        points = self.rates.setdefault(curve, {}).setdefault(series, {})
        points.setdefault(x, []).append(rate)

    def spreads(self, curve: str) -> dict[str, list[tuple[float, Spread]]]:
        """The points of a curve, by series, from left to right."""
        return {
            series: [(x, Spread.of(rates)) for x, rates in sorted(points.items())]
            for series, points in self.rates.get(curve, {}).items()
        }


async def main() -> int:
    options = parse_scale(sys.argv[2:], tuple(CURVES))
    programs, _ = await asyncio.to_thread(find_programs, {"ours"})
    found = Curves()
    began = time.monotonic()
    async with BenchServer(options.shared_buffers) as server:
        bench = Bench(server, programs, Templates(server, programs, JOBS))
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            await one_round(bench, options, found)
    report(found, options, time.monotonic() - began)
    return 0


async def one_round(bench: Bench, options: ScaleOptions, found: Curves) -> None:
    """Every point of every curve that was asked for."""
    effort = Effort(QUICK_JOBS if options.quick else JOBS, options.seconds)
    for name in options.curves:
        for x in xs_of(CURVES[name], name, options):
            for series in SERIES:
                rate = await CURVES[name].point(bench, by_name(series), x, effort)
                found.add(name, series, x, rate)


def xs_of(curve: Curve, name: str, options: ScaleOptions) -> tuple[int, ...]:
    """The values that are measured."""
    if options.quick:
        return curve.quick
    return (*curve.xs, 10_000_000) if name == "backlog" and options.ten_million else curve.xs


def report(found: Curves, options: ScaleOptions, seconds: float) -> None:
    """Print and write."""
    console = wide_console()
    made = {name: table(CURVES[name], found.spreads(name)) for name in options.curves}
    drawn = {
        f"scale-{name}": plots.curves(
            CURVES[name].title, CURVES[name].x_name, labelled(found.spreads(name))
        )
        for name in options.curves
    }
    for each in made.values():
        console.print(each.rich())
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(dataclasses.asdict(found), indent=1))
    docs.write_plots(options.plots, drawn)
    console.print(f"{seconds:.0f} s; all figures in {options.json}")
    if options.write_docs:
        docs.write_plots(docs.PLOTS, drawn)
        text = [
            f"{made[name].markdown()}\n\n![{CURVES[name].title}](benchmarks/scale-{name}.svg)"
            for name in options.curves
        ]
        docs.write_section("figures of scale", "\n\n".join(text))


def labelled(spreads: Mapping[str, Any]) -> dict[str, Any]:
    """By the names that readers know."""
    return {by_name(series).label: points for series, points in spreads.items()}


def table(curve: Curve, spreads: Mapping[str, list[tuple[float, Spread]]]) -> Table:
    """A row for each x, a column for each series."""
    columns = [curve.x_name, *labelled(spreads)]
    by_x: dict[float, list[str]] = {}
    for points in spreads.values():
        for x, spread in points:
            by_x.setdefault(x, []).append(short_spread(spread))
    rows = [[f"{x:,.0f}", *cells] for x, cells in sorted(by_x.items())]
    return Table(f"{curve.title}: jobs/s", columns, rows)


def _in_table(jobs: Callable[[int, int], Jobs]) -> Point:
    """A point whose x shapes the table, given the usual number of jobs."""

    async def point(bench: Bench, contender: Contender, x: int, effort: Effort) -> float:
        run = await measure(bench, contender, jobs(x, effort.jobs), effort.seconds)
        return run.rate

    return point


async def _at_concurrency(bench: Bench, contender: Contender, x: int, effort: Effort) -> float:
    ready = Jobs(ready=effort.jobs)
    run = await measure(bench, contender, ready, effort.seconds, {"concurrency": x})
    return run.rate


async def _with_workers(bench: Bench, contender: Contender, x: int, effort: Effort) -> float:
    return await fleet.measure(bench, contender, x, effort.jobs, effort.seconds)


CURVES = {
    "backlog": Curve(
        title="Ready jobs in the table",
        x_name="ready jobs",
        xs=(1_000, 10_000, 100_000, 1_000_000),
        quick=(500, 5_000),
        point=_in_table(lambda x, _: Jobs(ready=x)),
    ),
    "stuck": Curve(
        title="Jobs stuck behind locked queues, before those that may run",
        x_name="stuck jobs",
        xs=(0, 100, 1_000, 10_000, 100_000),
        quick=(0, 1_000),
        point=_in_table(lambda x, jobs: Jobs(ready=jobs, stuck=x)),
    ),
    "names": Curve(
        title="Names of queues that the jobs are spread over",
        x_name="queue names",
        xs=(1, 10, 100, 1_000, 10_000, 100_000),
        quick=(1, 100),
        point=_in_table(lambda x, jobs: Jobs(ready=jobs, queues=x)),
    ),
    "workers": Curve(
        title="Worker processes, all together",
        x_name="processes",
        xs=(1, 2, 4, 8, 16, 32, 64),
        quick=(1, 2),
        point=_with_workers,
    ),
    "payload": Curve(
        title="Size of a payload",
        x_name="bytes",
        xs=(100, 1_000, 10_000, 100_000, 1_000_000),
        quick=(100, 10_000),
        point=_in_table(
            lambda x, jobs: Jobs(ready=min(jobs, PAYLOADS_TOGETHER // x), payload_bytes=x)
        ),
    ),
    "concurrency": Curve(
        title="Slots",
        x_name="concurrency",
        xs=(1, 2, 5, 10, 24, 50, 100, 250, 500),
        quick=(1, 24),
        point=_at_concurrency,
    ),
}
