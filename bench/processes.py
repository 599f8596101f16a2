"""Two processes beside one, by the command itself: `run --processes 2` and `run`.

Jobs that do nothing, with a local queue: there the database is the limit, and a second process may
cost little. Jobs that keep a core busy for a millisecond: there it has to pay. The workers are
ready before all jobs appear at once, in one commit; the time is taken until the table is empty.
One and two processes run in turns, the first one changing from round to round. The ratio is that of
the best times of both: whatever else the machine has to do makes them longer only, and those of two
processes, which need both cores, more than those of one.
"""

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from graphile_worker import RawJobSpec, WorkerOptions, WorkerUtils, task
from graphile_worker.embedded.server import EmbeddedPostgres

ROUNDS = 5
CHUNK = 10_000
ANY_LEFT = "select exists (select from graphile_worker._private_jobs)"


@dataclass(frozen=True)
class Kind:
    """One sort of jobs."""

    task: str
    jobs: int
    target: float
    """Of the throughput of two processes, in those of one."""
    options: tuple[str, ...] = ()


KINDS = (
    Kind("noop", 60_000, 0.9, ("--concurrency", "24", "--local-queue-size", "500")),
    Kind("burn", 4_000, 1.5, ("--concurrency", "8", "--local-queue-size", "16")),
)


@task(payload=None)
async def noop() -> None:
    """Nothing."""


@task(payload=None)
async def burn() -> None:
    """A millisecond of CPU."""
    end = time.thread_time() + 0.001
    while time.thread_time() < end:
        pass


tasks = [noop, burn]


async def main() -> int:
    server = await asyncio.to_thread(EmbeddedPostgres.start)
    try:
        async with WorkerOptions(database_url=server.url, tasks=tasks).init() as worker:
            utils = worker.create_utils()
            return max([await compare(server.url, utils, kind) for kind in KINDS])
    finally:
        await asyncio.to_thread(server.close)


async def compare(url: str, utils: WorkerUtils, kind: Kind) -> int:
    times: dict[int, list[float]] = {1: [], 2: []}
    for number in range(ROUNDS):
        for processes in (1, 2) if number % 2 else (2, 1):
            times[processes].append(await seconds(url, utils, kind, processes))
    ratios = [one / two for one, two in zip(times[1], times[2], strict=True)]
    ratio = min(times[1]) / min(times[2])
    one, two = (kind.jobs / min(taken) for taken in times.values())
    print(
        f"{kind.task}: one process {one:,.0f} jobs/s, two {two:,.0f} jobs/s, ratio {ratio:.2f} "
        f"(target {kind.target}; rounds {min(ratios):.2f} to {max(ratios):.2f}, median "
        f"{statistics.median(ratios):.2f})"
    )
    return 0 if ratio >= kind.target else 1


async def seconds(url: str, utils: WorkerUtils, kind: Kind, processes: int) -> float:
    """From the commit that shows the jobs until none is left."""
    connection = await asyncpg.connect(url)
    await connection.execute("vacuum graphile_worker._private_jobs")
    async with workers(url, kind, processes):
        async with connection.transaction():
            adding = utils.with_executor(connection)
            for _ in range(0, kind.jobs, CHUNK):
                await adding.add_raw_jobs([RawJobSpec(kind.task)] * min(CHUNK, kind.jobs))
            # The planner of both is to know that there are so many, as after a while it does.
            await connection.execute("analyze graphile_worker._private_jobs")
            started = time.perf_counter()
        while await connection.fetchval(ANY_LEFT):
            await asyncio.sleep(0.05)
        taken = time.perf_counter() - started
    await connection.close()
    return taken


@contextlib.asynccontextmanager
async def workers(url: str, kind: Kind, processes: int) -> AsyncIterator[None]:
    """The command, while its workers look for jobs."""
    command = (sys.executable, "-m", "graphile_worker", "run", f"{Path(__file__)}:tasks")
    process = await asyncio.create_subprocess_exec(
        *(*command, "--processes", str(processes), "--database-url", url, *kind.options),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    looking = 0
    async for line in process.stderr:
        looking += b"looking for jobs" in line
        if looking == processes:
            break
    assert looking == processes, "the workers did not start"
    rest = asyncio.ensure_future(process.stderr.read())
    try:
        yield
    finally:
        process.terminate()
        await process.wait()
        await rest
