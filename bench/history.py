"""What history costs: CPU time of the worker a job, and bytes of WAL a job.

Workers without history, with the counts and failures alone, and with a row for each attempt run in
turns. The job makes one query, the least that a job of use does. WAL is what PostgreSQL wrote from
the first claim to the last row of history, by 10,000 jobs that were there before.
"""

import asyncio
import statistics
import time
from typing import Any

import asyncpg

from bench.figures import Change
from bench.hooks import JOBS, countdown, fill, query
from graphile_worker import HistoryConfig, WorkerOptions
from graphile_worker.embedded.server import EmbeddedPostgres

ROUNDS = 12
BOUND = 0.15
"""How much more CPU time a job may take with what is installed by default."""

KINDS: dict[str, Any] = {
    "without": False,
    "failed": HistoryConfig(run_log="failed"),
    "all": HistoryConfig(run_log="all"),
}


async def main() -> int:
    server = await asyncio.to_thread(EmbeddedPostgres.start)
    try:
        return await compare(server.url)
    finally:
        await asyncio.to_thread(server.close)


async def compare(url: str) -> int:
    used: dict[str, list[float]] = {kind: [] for kind in KINDS}
    wal: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(ROUNDS + 1):
        for kind in list(KINDS)[:: 1 if number % 2 else -1]:
            cpu, written = await measure(url, KINDS[kind])
            if number:  # the first round warms up: the schema, plans, imports
                used[kind].append(cpu)
                wal[kind].append(written)
    bounds = {kind: Change.of(used["without"], used[kind]).high for kind in KINDS}
    for kind in KINDS:
        print(
            f"{kind}: {statistics.median(used[kind]):.1f} µs a job (upper bound "
            f"{bounds[kind]:+.1%}), {statistics.median(wal[kind]):.0f} B of WAL a job"
        )
    print(f"upper bound {bounds['failed']:+.1%} (allowed: {BOUND:+.0%})")
    return 0 if bounds["failed"] <= BOUND else 1


async def measure(url: str, history: Any) -> tuple[float, float]:
    """Microseconds of this process a job, and bytes of WAL a job."""
    options = WorkerOptions(
        database_url=url,
        tasks=[query],
        concurrency=8,
        history=history,
        listen_os_shutdown_signals=False,
    )
    async with options.init() as worker:
        utils = worker.create_utils()
        await fill(utils, query)
        countdown.left, countdown.end = JOBS, worker.request_shutdown
        before = await position(url)
        started = time.process_time()
        await worker.run()
        used = time.process_time() - started
        written = await position(url) - before
        assert (await utils.stats()).total == 0
    return used / JOBS * 1e6, written / JOBS


async def position(url: str) -> int:
    """Bytes of WAL since ever."""
    connection = await asyncpg.connect(url)
    try:
        lsn = await connection.fetchval("select pg_current_wal_lsn() - '0/0'")
    finally:
        await connection.close()
    return int(lsn)
