"""Tables, for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import table as rich_table
from rich.console import Console

from bench.figures import Spread, short, short_spread
from bench.results import Results, spread_of
from bench.targets import Verdict

ABSENT = "-"


@dataclass(frozen=True)
class Table:
    """The first column is text, the others are figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def rich(self) -> rich_table.Table:
        """For the terminal."""
        made = rich_table.Table(title=self.title, title_justify="left")
        for number, column in enumerate(self.columns):
            made.add_column(column, justify="right" if number else "left")
        for row in self.rows:
            made.add_row(*row, style="red" if "MISSED" in row else None)
        return made

    def markdown(self) -> str:
        """For the documentation."""
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [self.columns, rule, *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def wide_console() -> Console:
    """The terminal; a file has room for whole lines."""
    console = Console()
    return console if console.is_terminal else Console(width=150)


def throughput(results: Results, labels: Mapping[str, str]) -> Table:
    """Jobs a second and the price of a job, one row a contender that was measured."""
    rows = []
    for name, label in labels.items():
        if name not in results.runs:
            continue
        rows.append(
            [
                label,
                _shown(results.spread(name, lambda run: run.rate)),
                _shown(results.spread(name, lambda run: _per_100k(run.cpu_us)), spread=False),
                _shown(
                    results.spread(name, lambda run: _per_100k(run.server_cpu_us)), spread=False
                ),
                _shown(results.spread(name, lambda run: run.peak_mb), spread=False),
                _shown(results.spread(name, lambda run: run.wal_bytes), spread=False),
                _shown(results.spread(name, lambda run: run.commits), spread=False),
                _shown(results.spread(name, lambda run: run.dead_tuples), spread=False),
            ]
        )
    columns = (
        "",
        "jobs/s",
        "worker CPU, s/100k jobs",
        "server CPU, s/100k jobs",
        "peak MB",
        "WAL bytes/job",
        "commits/job",
        "dead tuples/job",
    )
    return Table("Throughput: median (lowest…highest round)", columns, rows)


def conditions(results: Results, labels: Mapping[str, str]) -> Table:
    """Jobs a second in tables of other shapes."""
    rows = [
        [label, _shown(results.spread(name, lambda run: run.rate))]
        for name, label in labels.items()
        if name in results.runs
    ]
    title = "Other tables, 24 slots unless named: median (lowest…highest round)"
    return Table(title, ("", "jobs/s"), rows)


def latency(results: Results, labels: Mapping[str, str]) -> Table:
    """Milliseconds from adding to start."""
    rows = [
        [
            labels[name],
            *(
                _shown(spread_of([getattr(each, part) for each in rounds]))
                for part in ("p50", "p95", "p99")
            ),
        ]
        for name, rounds in results.latencies.items()
    ]
    return Table("Latency, ms: add → start on an idle worker", ("", "p50", "p95", "p99"), rows)


def enqueue(results: Results, labels: Mapping[str, str]) -> Table:
    """Jobs a second that a program adds."""
    rows = [
        [
            labels[name],
            _shown(spread_of([each.one for each in rounds])),
            _shown(spread_of([each.many for each in rounds])),
        ]
        for name, rounds in results.rates.items()
    ]
    return Table("Adding, jobs/s", ("", "one a call", "in bulk"), rows)


def targets(verdicts: Sequence[Verdict], *, of_weight: bool) -> Table:
    """Each ratio with its bound; small sizes show only that all of it can be measured."""
    rows = [
        [
            each.target.text,
            ABSENT if each.value is None else f"{short(each.value)} {each.target.unit}".strip(),
            f"{'≤' if each.target.at_most else '≥'} {short(each.target.bound)}"
            f" {each.target.unit}".strip(),
            each.word,
        ]
        for each in verdicts
    ]
    title = "Targets" if of_weight else "Targets, of no weight: measured in small"
    return Table(title, ("", "reached", "target", ""), rows)


def _per_100k(microseconds: float | None) -> float | None:
    """From microseconds a job to seconds for 100,000."""
    return None if microseconds is None else microseconds / 10


def _shown(value: Spread | None, *, spread: bool = True) -> str:
    if value is None:
        return ABSENT
    return short_spread(value) if spread else short(value.median)
