"""How many jobs a second, and what each of them costs.

A run begins with the first job's handler, so that no start-up is counted, and ends when the table
is seen empty, or after a fixed time for those that would take longer. What is left in the table
then, claimed or not, has not been done.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.contenders import Contender
from bench.installing import Program
from bench.process import Running, cpu_seconds, started
from bench.programs.statements import SETTINGS, TASK_ID, pgbench_script
from bench.server import BenchServer, Database
from bench.templates import Jobs, Templates, left


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of one contender gave. Per job, unless said otherwise.

    Attributes:
        rate: jobs a second.
        jobs: that were done.
        cpu_us: microseconds of CPU of the worker's processes.
        server_cpu_us: the same of PostgreSQL's.
        peak_mb: the most memory of the worker's processes, in MB.
        wal_bytes: written by the server.
        commits: transactions.
        dead_tuples: rows updated or deleted.
    """

    rate: float
    jobs: int
    cpu_us: float | None = None
    server_cpu_us: float | None = None
    peak_mb: float | None = None
    wal_bytes: float | None = None
    commits: float | None = None
    dead_tuples: float | None = None


@dataclass(frozen=True)
class Bench:
    """What every measurement needs."""

    server: BenchServer
    programs: Mapping[str, Program]
    templates: Templates


async def measure(
    bench: Bench,
    contender: Contender,
    jobs: Jobs,
    seconds: float,
    options: Mapping[str, Any] | None = None,
) -> Run:
    """One run, in a database of its own.

    Args:
        seconds: after which a run ends, however much is left.
        options: on top of the contender's.
    """
    template, ready = await bench.templates.of(contender.tables, jobs)
    async with bench.server.copy(template) as database:
        if contender.program == "pgbench":
            return await _pgbench(bench, contender, database, ready)
        asked = {**contender.options, **(options or {}), "jobs": ready}
        program = bench.programs[contender.program]
        async with started(program, contender.role, database.url, asked) as running:
            counting = left(contender.tables)
            measured = await _watch(bench.server, database, running, counting, ready, seconds)
        return await _with_statistics(database, measured)


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """What the machine had used by a moment."""

    worker: float
    server: float
    wal: int

    @classmethod
    async def take(cls, server: BenchServer, running: Running) -> _Reading:
        wal = await server.wal_position()
        return cls(worker=running.cpu_seconds(), server=cpu_seconds(server.process), wal=wal)


async def _watch(
    server: BenchServer,
    database: Database,
    running: Running,
    counting: str,
    ready: int,
    seconds: float,
) -> Run:
    before = await database.count(counting)
    began = int((await running.event("first"))[0])
    at_start = await _Reading.take(server, running)
    end, jobs = await _until_done(database, running, counting, before, ready, seconds)
    at_end = await _Reading.take(server, running)
    if jobs == 0:
        return Run(rate=0.0, jobs=0)
    return Run(
        rate=jobs / ((end - began) / 1e9),
        jobs=jobs,
        cpu_us=(at_end.worker - at_start.worker) / jobs * 1e6,
        server_cpu_us=(at_end.server - at_start.server) / jobs * 1e6,
        wal_bytes=(at_end.wal - at_start.wal) / jobs,
        peak_mb=running.peak_mb(),
    )


async def _until_done(
    database: Database, running: Running, counting: str, before: int, ready: int, seconds: float
) -> tuple[int, int]:
    """When the run ended, and how many jobs were done by then."""
    try:
        async with asyncio.timeout(seconds):
            await running.event("last")
            while await database.count(counting) > before - ready:
                await asyncio.sleep(0.001)
            return time.monotonic_ns(), ready
    except TimeoutError:
        end = time.monotonic_ns()
        return end, before - await database.count(counting)


async def _with_statistics(database: Database, run: Run) -> Run:
    if run.jobs == 0:
        return run
    commits, dead = await database.statistics()
    own = database.own_commits
    return replace(run, commits=max(0, commits - own) / run.jobs, dead_tuples=dead / run.jobs)


async def _pgbench(bench: Bench, contender: Contender, database: Database, ready: int) -> Run:
    """It tells its own rate, without the time to connect; one transaction is one batch."""
    batch = contender.options["batch"]
    task_id = await database.connection.fetchval(TASK_ID)
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(pgbench_script(task_id, batch))
        script.flush()
        process = await asyncio.create_subprocess_exec(
            *bench.programs["pgbench"].command,
            *("-n", "-M", "prepared", "-f", script.name, "-t", str(ready // batch), database.url),
            env={**os.environ, "PGOPTIONS": options},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, complaints = await process.communicate()
    found = re.search(r"tps = ([\d.]+)", output.decode())
    if process.returncode or found is None:
        raise RuntimeError(f"pgbench failed: {complaints.decode().strip()}")
    return Run(rate=float(found[1]) * batch, jobs=ready)
