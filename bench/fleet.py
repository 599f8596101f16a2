"""Several worker processes at once.

They start on an empty table, so that none has a lead; the clock runs from the commit that brings
the jobs until the table is empty, or for a fixed time.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from bench.contenders import Contender
from bench.process import started
from bench.server import Database
from bench.templates import Jobs, add, left
from bench.throughput import Bench

STARTED = "select count(*) from graphile_worker._private_workers"
SETTLES = 1.0
"""Seconds from a worker's registration to its being idle."""


async def measure(
    bench: Bench, contender: Contender, workers: int, jobs: int, seconds: float
) -> float:
    """Jobs a second of all of them together."""
    template, _ = await bench.templates.of(contender.tables, Jobs(ready=0))
    async with bench.server.copy(template) as database, AsyncExitStack() as stack:
        program = bench.programs[contender.program]
        options = {**contender.options, "jobs": -1}
        for _ in range(workers):
            await stack.enter_async_context(started(program, contender.role, database.url, options))
        async with asyncio.timeout(10 + 3 * workers):
            while await database.count(STARTED) < workers:
                await asyncio.sleep(0.05)
        await asyncio.sleep(SETTLES)
        await add(database.connection, Jobs(ready=jobs))
        began = time.monotonic()
        remaining = await _until_empty(database, seconds)
        return (jobs - remaining) / (time.monotonic() - began)


async def _until_empty(database: Database, seconds: float) -> int:
    """How many jobs were left when the time was over."""
    counting = left("ours")
    deadline = time.monotonic() + seconds
    while remaining := await database.count(counting):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.02)
    return remaining
