"""Everything that a run of `./dev bench all` found out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.enqueue import Rates
from bench.figures import Spread
from bench.latency import Latencies
from bench.special import Idle
from bench.throughput import Run


@dataclass
class Results:
    """What each round gave, by contender.

    Attributes:
        about: the machine, the versions, the sizes.
        runs: throughput.
        latencies: add to start.
        rates: adding.
        idle: our worker without jobs.
        memory_mb: of a full local queue.
        empty_table_seconds: from the commit of the jobs to the last one.
        empty_table_jobs: how many they were.
        quarters: jobs a second under an old snapshot.
        missing: programs that could not be had, and why.
    """

    about: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    latencies: dict[str, list[Latencies]] = field(default_factory=dict)
    rates: dict[str, list[Rates]] = field(default_factory=dict)
    idle: Idle | None = None
    memory_mb: float | None = None
    empty_table_seconds: float | None = None
    empty_table_jobs: int = 0
    quarters: list[float] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def spread(self, name: str, of: Callable[[Run], float | None]) -> Spread | None:
        """One figure of a contender over its rounds; None where it was not measured."""
        return spread_of([of(run) for run in self.runs.get(name, [])])

    def figures(self) -> dict[str, float]:
        """The figures that targets are made of: medians, but the best round of latencies."""
        found: dict[str, float] = {}
        for name in self.runs:
            _put(found, f"rate.{name}", self.spread(name, lambda run: run.rate))
            _put(found, f"cpu.{name}", self.spread(name, lambda run: run.cpu_us))
        for name, rounds in self.latencies.items():
            found[f"latency.{name}.p50"] = min(each.p50 for each in rounds)
            found[f"latency.{name}.p95"] = min(each.p95 for each in rounds)
        return found | self._special()

    def _special(self) -> dict[str, float]:
        found: dict[str, float] = {}
        if self.quarters:
            found |= {"snapshot.first": self.quarters[0], "snapshot.last": self.quarters[-1]}
        if self.memory_mb is not None:
            found["memory.local_queue"] = self.memory_mb
        if self.idle is not None:
            found |= {"idle.claims": self.idle.claims, "idle.cpu": self.idle.cpu_percent}
        usual = self.spread("ours_slots", lambda run: run.rate)
        if self.empty_table_seconds is not None and usual is not None:
            due = self.empty_table_jobs / usual.median
            found["empty_table.lost"] = max(0.0, self.empty_table_seconds - due)
        return found

    def to_json(self) -> str:
        """All of it, each round, and the figures made of it."""
        return json.dumps({**dataclasses.asdict(self), "figures": self.figures()}, indent=1)


def spread_of(values: Sequence[float | None]) -> Spread | None:
    """None unless each round gave a value."""
    known = [value for value in values if value is not None]
    return Spread.of(known) if known else None


def _put(figures: dict[str, float], name: str, spread: Spread | None) -> None:
    if spread is not None:
        figures[name] = spread.median
