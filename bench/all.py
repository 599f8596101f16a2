"""`./dev bench all`: ours beside every other worker, on one server, in one run.

Rounds are interleaved: each measures everybody once, every other one in the opposite order, so that
whatever else the machine does strikes all alike. See docs/benchmarks.md.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bench import docs, enqueue, latency, plots, special, tables
from bench.contenders import Contender, by_name, contenders, everybody
from bench.installing import NODE_VERSION, PYTHON_PEERS, RUST_VERSION, find_programs
from bench.options import AllOptions, Sizes, parse_all
from bench.results import Results, spread_of
from bench.server import BenchServer
from bench.tables import wide_console
from bench.targets import verdicts
from bench.templates import Jobs, Templates
from bench.throughput import Bench, measure

ORDER = (
    "procrastinate",
    "pgqueuer",
    "pgbench",
    "ours_turbo",
    "raw",
    "sketch",
    "ours_local_queue",
    "rust_local_queue",
    "node_local_queue",
    "rust_default",
    "node_default",
    "ours_default",
    "node_slots",
    "ours_slots",
)
"""Those that targets compare are measured soon after each other; then come the other tables."""
LONG = 4
"""So many times as many jobs as usual, for those that are quickest."""


async def main() -> int:
    options = parse_all(sys.argv[2:])
    programs, missing = await asyncio.to_thread(
        find_programs, {each.program for each in contenders()}
    )
    results = Results(missing=missing)
    began = time.monotonic()
    async with BenchServer(options.shared_buffers) as server:
        results.about = about(options, await server.version())
        templates = Templates(server, programs, options.sizes.others)
        await run(Bench(server, programs, templates), options.sizes, results)
    results.about["seconds"] = round(time.monotonic() - began)
    return report(results, options)


async def run(bench: Bench, sizes: Sizes, results: Results) -> None:
    """Measure everything."""
    for number in range(sizes.rounds):
        tell(f"round {number + 1} of {sizes.rounds}: throughput")
        await throughput_round(bench, sizes, results, backwards=number % 2 == 1)
        tell(f"round {number + 1} of {sizes.rounds}: latency, adding")
        await small_round(bench, sizes, results)
    tell(f"an old snapshot, an idle worker: {sizes.idle_seconds:g} s")
    async with asyncio.TaskGroup() as group:
        quarters = group.create_task(special.quarters_under_old_snapshot(bench, sizes.idle_seconds))
        idle = group.create_task(special.idle(bench, sizes.idle_seconds))
    results.quarters, results.idle = quarters.result(), idle.result()
    tell("memory, a start on an empty table")
    results.memory_mb = await special.memory_of_local_queue(bench, sizes.held)
    results.empty_table_jobs = sizes.jobs
    results.empty_table_seconds = await special.start_on_empty_table(bench, sizes.jobs)


async def throughput_round(
    bench: Bench, sizes: Sizes, results: Results, *, backwards: bool
) -> None:
    """Every contender once, and ours in each other table once."""
    usual = Jobs(ready=sizes.jobs)
    by_order = sorted(contenders(), key=lambda each: ORDER.index(each.name))
    plan: list[tuple[str, Contender, Jobs]] = [(each.name, each, usual) for each in by_order]
    plan += [(name, *condition) for name, condition in conditions(sizes).items()]
    for name, contender, jobs in reversed(plan) if backwards else plan:
        if contender.program in bench.programs:
            found = await measure(bench, contender, jobs, sizes.seconds)
            results.runs.setdefault(name, []).append(found)


async def small_round(bench: Bench, sizes: Sizes, results: Results) -> None:
    """Latency and adding, of everybody once."""
    present = [each for each in latency.contenders() if each.program in bench.programs]
    times = await latency.measure(bench, present, sizes.samples)
    for name, found in times.items():
        results.latencies.setdefault(name, []).append(found)
    for contender in enqueue.contenders():
        if contender.program in bench.programs:
            rates = await enqueue.measure(bench, contender, one=sizes.add_one, many=sizes.add_many)
            results.rates.setdefault(contender.name, []).append(rates)


def conditions(sizes: Sizes) -> dict[str, tuple[Contender, Jobs]]:
    """Who else is measured, and in which table."""
    jobs, ours = sizes.jobs, by_name("ours_slots")
    # What does 100,000 jobs in half a second has begun and ended for a good part of it.
    long = Jobs(ready=LONG * jobs)
    return {
        "turbo_long": (by_name("ours_turbo"), long),
        "raw_long": (by_name("raw"), long),
        "ready_many": (ours, Jobs(ready=sizes.many)),
        "stuck": (ours, Jobs(ready=jobs, stuck=jobs)),
        "queues_few": (ours, Jobs(ready=jobs, queues=sizes.names)),
        "queues_many": (ours, Jobs(ready=jobs, queues=jobs)),
        "serial": (ours, Jobs(ready=jobs // 10, queues=1)),
    }


def condition_labels(sizes: Sizes) -> dict[str, str]:
    """For the table."""
    return {
        "ours_slots": f"{sizes.jobs:,} jobs without a queue",
        "serial": f"{sizes.jobs // 10:,} jobs of one named queue",
        "queues_few": f"{sizes.jobs:,} jobs evenly over {sizes.names:,} queues",
        "queues_many": f"{sizes.jobs:,} jobs, each of its own queue",
        "stuck": f"{sizes.jobs:,} jobs behind {sizes.jobs:,} stuck in two locked queues",
        "ready_many": f"{sizes.many:,} jobs without a queue",
        "turbo_long": f"turbo claim: {LONG * sizes.jobs:,} jobs without a queue",
        "raw_long": f"SQL loop: {LONG * sizes.jobs:,} jobs without a queue",
    }


def about(options: AllOptions, server_version: str) -> dict[str, Any]:
    """What a reader has to know to compare."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "postgresql": server_version,
        "shared_buffers": options.shared_buffers,
        "rounds": options.sizes.rounds,
        "jobs": options.sizes.jobs,
        "node": NODE_VERSION,
        "rust": RUST_VERSION,
        "peers": list(PYTHON_PEERS),
    }


def report(results: Results, options: AllOptions) -> int:
    """Print, write, and say whether all targets are met."""
    judged = verdicts(results.rounds())
    shown = all_tables(results, options.sizes)
    target_table = tables.targets(judged, of_weight=not options.quick)
    console = wide_console()
    for table in [*shown, target_table]:
        console.print(table.rich())
    for name, reason in results.missing.items():
        console.print(f"NOT MEASURED: {name}: {reason}", style="red")
    drawn = all_plots(results)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(results.to_json())
    docs.write_plots(options.plots, drawn)
    console.print(f"{results.about['seconds']} s; all figures in {options.json}")
    if options.write_docs:
        docs.write_plots(docs.PLOTS, drawn)
        docs.write_section("set-ups", setups())
        docs.write_section("figures of all", section(results, [*shown, target_table], drawn))
    missed = [each for each in judged if each.is_missed]
    return 1 if missed and options.check else 0


def all_tables(results: Results, sizes: Sizes) -> list[tables.Table]:
    """Those with figures; the targets are apart."""
    labels = {each.name: each.label for each in everybody()}
    programs = {**labels, **PROGRAM_LABELS}
    return [
        tables.throughput(results, labels),
        tables.conditions(results, condition_labels(sizes)),
        tables.latency(results, {**programs, latency.FLOOR.name: latency.FLOOR.label}),
        tables.enqueue(results, programs),
    ]


PROGRAM_LABELS = {
    "ours_default": "ours",
    "node_default": "Node",
    "rust_default": "Rust",
    "pgqueuer": "pgqueuer",
    "procrastinate": "procrastinate",
}


def all_plots(results: Results) -> dict[str, str]:
    """Drawings by the name of their file."""
    rates = [
        (each.label, spread)
        for each in contenders()
        if (spread := results.spread(each.name, lambda run: run.rate))
    ]
    waits = [
        (f"{label} {part}", spread)
        for name, label in {latency.FLOOR.name: "floor: by hand", **PROGRAM_LABELS}.items()
        for part in ("p50", "p95")
        if (spread := spread_of([getattr(r, part) for r in results.latencies.get(name, [])]))
    ]
    return {
        "throughput": plots.bars("Jobs a second, median of the rounds", rates),
        "latency": plots.bars("Milliseconds from adding to start, idle worker", waits),
    }


def section(results: Results, shown: list[tables.Table], drawn: Mapping[str, str]) -> str:
    """What goes into the documentation."""
    facts = results.about
    head = (
        f"{facts['date']}, {facts['cores']} cores, {facts['system']}, Python {facts['python']}, "
        f"PostgreSQL {facts['postgresql']} with `shared_buffers={facts['shared_buffers']}`, "
        f"{facts['rounds']} rounds, {facts['seconds']} s altogether."
    )
    images = [f"![{name}](benchmarks/{name}.svg)" for name in drawn]
    left_out = [f"Not measured: {name}: {reason}" for name, reason in results.missing.items()]
    return "\n\n".join([head, *images, *(table.markdown() for table in shown), *left_out])


def setups() -> str:
    """How each contender is set up, for the documentation."""
    rows = [[each.label, each.setup] for each in everybody()]
    lines = [["", "set-up"], ["---", "---"], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
