"""How many jobs a second a program adds: one call a job, and in bulk."""

from __future__ import annotations

from dataclasses import dataclass

from bench.contenders import Contender, by_name
from bench.process import ended
from bench.templates import Jobs
from bench.throughput import Bench


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Jobs a second."""

    one: float
    many: float


def contenders() -> list[Contender]:
    """One for each program that can add."""
    names = ("ours_default", "node_default", "rust_default", "pgqueuer", "procrastinate")
    return list(map(by_name, names))


async def measure(bench: Bench, contender: Contender, *, one: int, many: int) -> Rates:
    """One round: `one` calls of one job each, then `many` jobs at once."""
    template, _ = await bench.templates.of(contender.tables, Jobs(ready=0))
    async with bench.server.copy(template) as database:
        program = bench.programs[contender.program]
        options = {**contender.options, "one": one, "many": many}
        events = await ended(program, "enqueue", database.url, options)
    rates = {words[1]: float(words[2]) for words in events if words[0] == "rate"}
    return Rates(one=rates["one"], many=rates["many"])
