"""What the figures have to show."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SKETCH_US, WORKER_US = 3, 10
"""Where the sketch of a worker takes so many microseconds a job, a worker may take so many."""


@dataclass(frozen=True)
class Target:
    """A ratio of two figures, or one figure, and its bound.

    Attributes:
        text: what is compared.
        figure: name of a figure.
        by: name of the figure that it is divided by; None: it counts as it is.
        bound: what it has to reach.
        at_most: whether the bound is one from above.
        unit: of the value; a ratio has none.
    """

    text: str
    figure: str
    by: str | None
    bound: float
    at_most: bool = False
    unit: str = ""

    def value(self, figures: Mapping[str, float]) -> float | None:
        """What was reached; None where something was not measured."""
        value = figures.get(self.figure)
        if value is None or self.by is None:
            return value
        by = figures.get(self.by)
        return value / by if by else None


@dataclass(frozen=True)
class Verdict:
    """A target and what became of it.

    Attributes:
        value: None where it was not measured.
    """

    target: Target
    value: float | None

    @property
    def is_missed(self) -> bool:
        """What was not measured is not missed."""
        if self.value is None:
            return False
        target = self.target
        return self.value > target.bound if target.at_most else self.value < target.bound

    @property
    def word(self) -> str:
        """For the table."""
        if self.value is None:
            return "not measured"
        return "MISSED" if self.is_missed else "met"


def verdicts(rounds: Sequence[Mapping[str, float]]) -> list[Verdict]:
    """What became of each target, by the median of what each round gave.

    A ratio is taken within a round, where both sides met the same machine.
    """
    return [Verdict(target, _median(target, rounds)) for target in TARGETS]


def _median(target: Target, rounds: Sequence[Mapping[str, float]]) -> float | None:
    values = [value for each in rounds if (value := target.value(each)) is not None]
    return statistics.median(values) if values else None


def _at_least(text: str, figure: str, by: str | None, bound: float, unit: str = "") -> Target:
    return Target(text, figure, by, bound, unit=unit)


def _at_most(text: str, figure: str, by: str | None, bound: float, unit: str = "") -> Target:
    return Target(text, figure, by, bound, at_most=True, unit=unit)


TARGETS = (
    _at_least("local queue ÷ SQL loop on one connection", "rate.ours_local_queue", "rate.raw", 1.0),
    _at_least(
        "local queue ÷ Rust, local queue", "rate.ours_local_queue", "rate.rust_local_queue", 1.0
    ),
    _at_least("all defaults ÷ Node, all defaults", "rate.ours_default", "rate.node_default", 3),
    _at_least("all defaults ÷ Rust, all defaults", "rate.ours_default", "rate.rust_default", 1.0),
    _at_least(
        "local queue ÷ Node, local queue", "rate.ours_local_queue", "rate.node_local_queue", 1.6
    ),
    _at_least("local queue ÷ pgqueuer", "rate.ours_local_queue", "rate.pgqueuer", 3),
    _at_least("local queue ÷ procrastinate", "rate.ours_local_queue", "rate.procrastinate", 30),
    _at_least("24 slots ÷ Node, 24 slots", "rate.ours_slots", "rate.node_slots", 5),
    _at_least("turbo claim ÷ SQL loop of the normal claim", "rate.ours_turbo", "rate.raw", 1.8),
    _at_least("turbo claim ÷ Node, local queue", "rate.ours_turbo", "rate.node_local_queue", 3),
    _at_most("latency p50 ÷ floor", "latency.ours_default.p50", "latency.floor.p50", 1.3),
    _at_most("latency p50 ÷ Node's", "latency.ours_default.p50", "latency.node_default.p50", 1.0),
    _at_most("latency p95 ÷ Node's", "latency.ours_default.p95", "latency.node_default.p95", 1.0),
    _at_least("one named queue, 24 slots", "rate.serial", None, 1_200, "jobs/s"),
    _at_least("1,000 queues ÷ unqueued", "rate.queues_few", "rate.ours_slots", 0.5),
    _at_least("1M ready ÷ 100k ready", "rate.ready_many", "rate.ours_slots", 0.85),
    _at_least("100k stuck behind locked queues ÷ none", "rate.stuck", "rate.ours_slots", 0.8),
    _at_least("100k queue names ÷ 1,000", "rate.queues_many", "rate.queues_few", 0.9),
    _at_least("old snapshot: last quarter ÷ first", "snapshot.last", "snapshot.first", 0.7),
    _at_most("started on an empty table: time lost", "empty_table.lost", None, 2, "s"),
    _at_most(
        "worker CPU a job, local queue ÷ sketch",
        "cpu.ours_local_queue",
        "cpu.sketch",
        WORKER_US / SKETCH_US,
    ),
    _at_most("local queue of 10,000 small jobs, resident", "memory.local_queue", None, 100, "MB"),
    _at_most("idle: claims a poll interval", "idle.claims", None, 1.2),
    _at_most("idle: CPU", "idle.cpu", None, 1.0, "%"),
)
