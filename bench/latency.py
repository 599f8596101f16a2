"""From adding a job to the start of its handler, on a worker that has nothing else to do.

The clock starts before the statement that adds the job and stops in the handler's first line, both
in nanoseconds of the machine's monotonic clock. All workers are given their jobs by the same
program, one by one, with a pause of 1 to 3 ms between them that no worker can foresee.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from bench.contenders import Contender, by_name
from bench.figures import percentile
from bench.process import Running, started
from bench.templates import Jobs
from bench.throughput import Bench

ADD = "select 1 from graphile_worker.add_job('noop', '{}'::json)"
WARM_UP = 50
PAUSE = (0.001, 0.003)
"""Seconds."""

FLOOR = Contender(
    name="floor",
    label="floor: LISTEN and one claim",
    setup="no worker: a raw LISTEN, one claim by hand",
    program="raw",
    tables="ours",
    role="latency",
)


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, samples: list[float]) -> Latencies:
        return cls(
            p50=percentile(samples, 50), p95=percentile(samples, 95), p99=percentile(samples, 99)
        )


def contenders() -> list[Contender]:
    """Those that are measured: the floor, and workers with all their defaults."""
    return [FLOOR, *map(by_name, ("ours_default", "node_default", "rust_default"))]


async def measure(bench: Bench, contender: Contender, samples: int) -> Latencies:
    """One round."""
    template, _ = await bench.templates.of(contender.tables, Jobs(ready=0))
    async with bench.server.copy(template) as database:
        # The task exists, as it does in any table that has been worked on.
        await database.connection.execute(
            "insert into graphile_worker._private_tasks (identifier) values ('noop')"
            " on conflict do nothing"
        )
        program = bench.programs[contender.program]
        async with started(program, "latency", database.url, dict(contender.options)) as running:
            add = await database.connection.prepare(ADD)
            await _take(add, running, WARM_UP)
            return Latencies.of(await _take(add, running, samples))


async def _take(add: object, running: Running, samples: int) -> list[float]:
    taken = []
    for _ in range(samples):
        await asyncio.sleep(random.uniform(*PAUSE))
        began = time.monotonic_ns()
        await add.fetchval()
        start = int((await running.event("start"))[0])
        taken.append((start - began) / 1e6)
    return taken
