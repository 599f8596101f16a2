"""From adding a job to the start of its handler, on a worker that has nothing else to do.

The clock starts before the statement that adds the job and stops in the handler's first line, both
in nanoseconds of the machine's monotonic clock. All workers are given their jobs by the same
program, with a pause of 1 to 3 ms before each that no worker can foresee. All are idle beside each
other, each in a database of its own, and get their jobs in turns, in an order drawn anew for each
turn: whatever else the machine does strikes all alike.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bench.contenders import Contender, by_name
from bench.figures import percentile
from bench.process import Running, started
from bench.templates import Jobs
from bench.throughput import Bench

ADD = "select 1 from graphile_worker.add_job('noop', '{}'::json)"
WARM_UP = 50
"""Turns that do not count."""
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


async def measure(bench: Bench, who: Sequence[Contender], samples: int) -> dict[str, Latencies]:
    """One round: all of them idle beside each other, and asked in turns."""
    async with AsyncExitStack() as stack:
        asked = [await stack.enter_async_context(_asked(bench, each)) for each in who]
        taken: dict[str, list[float]] = {each.name: [] for each in who}
        for number in range(WARM_UP + samples):
            for each in random.sample(asked, len(asked)):
                waited = await each.sample()
                if number >= WARM_UP:
                    taken[each.name].append(waited)
    return {name: Latencies.of(times) for name, times in taken.items()}


@dataclass(frozen=True)
class _Asked:
    """A worker that is idle, and the statement that gives it a job."""

    name: str
    add: Any
    running: Running

    async def sample(self) -> float:
        """Milliseconds from adding one job to its start."""
        await asyncio.sleep(random.uniform(*PAUSE))
        began = time.monotonic_ns()
        await self.add.fetchval()
        return (int((await self.running.event("start"))[0]) - began) / 1e6


@asynccontextmanager
async def _asked(bench: Bench, contender: Contender) -> AsyncGenerator[_Asked]:
    template, _ = await bench.templates.of(contender.tables, Jobs(ready=0))
    async with bench.server.copy(template) as database:
        # The task exists, as it does in any table that has been worked on.
        await database.connection.execute(
            "insert into graphile_worker._private_tasks (identifier) values ('noop')"
            " on conflict do nothing"
        )
        program, options = bench.programs[contender.program], dict(contender.options)
        async with started(program, "latency", database.url, options) as running:
            yield _Asked(contender.name, await database.connection.prepare(ADD), running)
