"""Adding jobs, beside what PostgreSQL alone needs for the same.

* Many: `add_jobs_stream` of 100,000 jobs, beside one `select count(*) from add_jobs(…)` with specs
  that the server makes up itself, so that nothing travels and Python has nothing to do.
* One: `add_job` on one connection, beside a bare prepared `select` of the same function.
* Memory: the peak of a process of its own that streams 1,000,000 jobs.

Rounds are interleaved and the median counts; psycopg is printed beside where it is installed.
`--quick` is a smoke test of the same with fewer jobs.
"""

import asyncio
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg

from graphile_worker import MissingDependencyError, NewJob, SyncWorkerUtils, WorkerUtils, task_ref
from graphile_worker.client.open_database import open_database
from graphile_worker.database.schema import Schema
from graphile_worker.embedded.server import EmbeddedPostgres
from graphile_worker.migrations.runner import migrate

TARGET = 0.8
MEMORY_TARGET_MB = 150

bench = task_ref("bench", dict[str, int])

FROM_NOTHING = """
select count(*) from graphile_worker.add_jobs(array(
  select row('bench', json_build_object('n', n), null, null, null, null, null, null)
    ::graphile_worker.job_spec
  from generate_series(1, $1::integer) as n
))
"""
BARE = "select * from graphile_worker.add_job('bench', $1::text::json)"
PSYCOPG_BARE = "select * from graphile_worker.add_job('bench', %s::text::json)"


@dataclass(frozen=True)
class Size:
    many: int
    rounds_of_many: int
    single: int
    rounds_of_single: int
    memory: int


FULL = Size(
    many=100_000, rounds_of_many=5, single=200, rounds_of_single=60, memory=1_000_000
)  # short rounds of single ones, so that whatever else the machine does strikes all alike
QUICK = Size(many=20_000, rounds_of_many=1, single=100, rounds_of_single=5, memory=50_000)

Measure = Callable[[], Awaitable[float]]
"""Adds jobs, and tells how many a second."""


async def main() -> int:
    arguments = sys.argv[2:]
    if arguments[:1] == ["--memory"]:
        return await stream_and_tell(arguments[1], int(arguments[2]))
    size = QUICK if arguments == ["--quick"] else FULL
    # A temporary server does not wait for the disk, whose speed is not what is compared here.
    server = await asyncio.to_thread(EmbeddedPostgres.start)
    try:
        return await compare(server.url, size)
    finally:
        await asyncio.to_thread(server.close)


async def compare(url: str, size: Size) -> int:
    database = await open_database(url)
    await migrate(database, Schema("graphile_worker"))
    await database.aclose()
    # First: what a process inherits from the one that starts it counts for its peak.
    held = [await memory_holds(url, size.memory)]
    async with AsyncExitStack() as stack:
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)
        utils = await stack.enter_async_context(WorkerUtils.connect(url))
        sync_utils = open_sync(url, stack)
        many = await rounds(
            connection,
            size.rounds_of_many,
            measures_of_many(connection, utils, sync_utils, size.many),
        )
        single = await rounds(
            connection,
            size.rounds_of_single,
            await measures_of_single(url, stack, sync_utils, size.single),
        )
        await empty(connection)
    held += [
        told(f"{size.many:,} jobs", many, yardstick="server alone", ours="add_jobs_stream"),
        told("one job a call", single, yardstick="bare select", ours="add_job"),
    ]
    return 0 if all(held) else 1


def open_sync(url: str, stack: AsyncExitStack) -> SyncWorkerUtils | None:
    try:
        return stack.enter_context(SyncWorkerUtils.connect(url))
    except MissingDependencyError as error:
        print(f"without psycopg: {error}")
        return None


async def rounds(
    connection: asyncpg.Connection, count: int, measures: dict[str, Measure]
) -> dict[str, float]:
    """The median of each, measured in turn."""
    rates: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(count):
        for name, measure in measures.items():
            await empty(connection)
            rates[name].append(await measure())
    return {name: statistics.median(values) for name, values in rates.items()}


async def empty(connection: asyncpg.Connection) -> None:
    """Leave no table behind whose size, or whose unwritten pages, would slow the next one down."""
    await connection.execute("truncate graphile_worker._private_jobs")
    await connection.execute("checkpoint")


def new_jobs(count: int) -> Iterator[NewJob]:
    return (bench.job({"n": n}) for n in range(count))


def measures_of_many(
    connection: asyncpg.Connection,
    utils: WorkerUtils,
    sync_utils: SyncWorkerUtils | None,
    count: int,
) -> dict[str, Measure]:
    async def server_alone() -> float:
        return await rate(count, connection.fetchval(FROM_NOTHING, count))

    async def stream() -> float:
        return await rate(count, utils.add_jobs_stream(new_jobs(count)))

    async def with_rows() -> float:
        return await rate(count, utils.add_jobs(new_jobs(count)))

    measures: dict[str, Measure] = {
        "server alone": server_alone,
        "add_jobs_stream": stream,
        "add_jobs": with_rows,
    }
    if sync_utils is not None:

        async def psycopg_stream() -> float:
            started = time.perf_counter()
            sync_utils.add_jobs_stream(new_jobs(count))
            return count / (time.perf_counter() - started)

        measures["add_jobs_stream, psycopg"] = psycopg_stream
    return measures


async def measures_of_single(
    url: str,
    stack: AsyncExitStack,
    sync_utils: SyncWorkerUtils | None,
    count: int,
) -> dict[str, Measure]:
    # A new connection: one that has added many keeps plans that suit many.
    connection = await asyncpg.connect(url)
    stack.push_async_callback(connection.close)
    bound = WorkerUtils(connection)
    prepared = await connection.prepare(BARE)

    async def bare() -> float:
        started = time.perf_counter()
        for _ in range(count):
            await prepared.fetchrow('{"n":1}')
        return count / (time.perf_counter() - started)

    async def add_job() -> float:
        started = time.perf_counter()
        for _ in range(count):
            await bound.add_job(bench, {"n": 1})
        return count / (time.perf_counter() - started)

    measures: dict[str, Measure] = {"bare select": bare, "add_job": add_job}
    if sync_utils is not None:
        import psycopg  # noqa: PLC0415 (optional)

        raw = stack.enter_context(psycopg.connect(url, autocommit=True))
        sync_bound = SyncWorkerUtils(raw)

        async def psycopg_bare() -> float:
            started = time.perf_counter()
            for _ in range(count):
                raw.execute(PSYCOPG_BARE, ['{"n":1}'], prepare=True).fetchone()
            return count / (time.perf_counter() - started)

        async def psycopg_add_job() -> float:
            started = time.perf_counter()
            for _ in range(count):
                sync_bound.add_job(bench, {"n": 1})
            return count / (time.perf_counter() - started)

        measures["bare select, psycopg"] = psycopg_bare
        measures["add_job, psycopg"] = psycopg_add_job
    return measures


async def rate(count: int, call: Awaitable[object]) -> float:
    started = time.perf_counter()
    await call
    return count / (time.perf_counter() - started)


def told(what: str, rates: dict[str, float], *, yardstick: str, ours: str) -> bool:
    """Print the rates; whether ours reaches its part of the yardstick."""
    for name, value in rates.items():
        print(f"{what}: {name:26} {value:>9,.0f} jobs/s")
    ratio = rates[ours] / rates[yardstick]
    print(f"{what}: {ours} at {ratio:.2f} of {yardstick} (target {TARGET})")
    return ratio >= TARGET


async def memory_holds(url: str, count: int) -> bool:
    """Let a process of its own stream jobs; its peak is not that of this one."""
    command = [sys.executable, "-m", "bench", "add", "--memory", url, str(count)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, output
    peak = int(output)
    print(
        f"memory: {peak} MB at most while {count:,} are streamed (target below {MEMORY_TARGET_MB})"
    )
    return peak < MEMORY_TARGET_MB


async def stream_and_tell(url: str, count: int) -> int:
    async with WorkerUtils.connect(url) as utils:
        assert await utils.add_jobs_stream(new_jobs(count)) == count
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit)
    return 0
