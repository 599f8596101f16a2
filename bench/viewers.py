"""Viewers: what 64 open pages cost, for ten minutes.

A worker runs jobs, `graphile-worker admin` is a process of its own, and each viewer does what a
browser does: it loads a page, follows the stream of events, and fetches anew the regions that an
event names. Behind them lie 100,000 jobs, scheduled, retried and failed, so that lists are read as
they are in big tables.

Three things are looked at. The memory of the admin process: its median in the second fifth of the
time and in the last. The time for which the readings that all viewers share kept a connection busy,
as the process itself tells (`/metrics`). And then, in rounds without viewers and with them in
turns, the CPU time of the worker a job: where viewers add to it, that must be no more than chance,
which is told with it (one of twenty cases lies beyond either end). The worker has a core for
itself, admin process and viewers have the others: what they do to the caches of a core that they
share is not what the page does to a worker.

`--seconds N` looks for so long (600); `--rounds N` (10), `--viewers N` (64).
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import asyncpg
import httpx
import psutil

from bench.figures import Change, Spread, percentile, short_spread
from bench.hooks import Mail, countdown, query
from bench.installing import ROOT
from bench.process import Running, own_cpu_seconds
from graphile_worker import WorkerOptions
from graphile_worker.admin.live.stream import PULSE
from graphile_worker.client.open_database import open_database
from graphile_worker.database.schema import Schema
from graphile_worker.embedded.server import EmbeddedPostgres
from graphile_worker.migrations.runner import migrate

ALLOWED_BYTES = 5_000_000
BUDGET = 0.05
PAGES = (
    *("/", "/jobs", "/jobs?state=ready", "/jobs?state=running", "/jobs?state=retrying"),
    *("/jobs?state=failed", "/failures", "/tasks"),
)
FILL = """
insert into graphile_worker._private_tasks (identifier)
select 'task_' || n from generate_series(1, 40) n;
insert into graphile_worker._private_jobs (task_id, payload, priority, run_at, attempts, last_error)
select
  1 + n % 40,
  json_build_object('user', json_build_object('id', n), 'note', 'of a usual length'),
  n % 4,
  now() + interval '1 hour' + n % 86400 * interval '1 second',
  case when n % 50 = 0 then 25 when n % 50 < 3 then 3 else 0 end,
  case when n % 50 < 3 then 'TimeoutError: upstream ' || n % 7 || ' after 30 s' end
from generate_series(1, $1::integer) n
"""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is looked at; `jobs` are those of one round of the worker."""

    seconds: float = 600.0
    viewers: int = 64
    rounds: int = 10
    jobs: int = 10_000
    waiting: int = 100_000


@dataclass
class Viewed:
    """What viewers saw."""

    open: int = 0
    refreshes: list[float] = field(default_factory=list)
    """Seconds that each took."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The admin process while there were viewers.

    Attributes:
        viewed: what they saw.
        memory: readings of its resident memory, in bytes.
        samples: the part of a connection that was busy with what all viewers share.
        cpu: what it used, in cores.
    """

    viewed: Viewed
    memory: list[int]
    samples: float
    cpu: float

    @property
    def fifths(self) -> tuple[float, float]:
        """The memory in the second fifth, and in the last."""
        fifth = max(1, len(self.memory) // 5)
        second = self.memory[fifth : 2 * fifth] or self.memory
        return statistics.median(second), statistics.median(self.memory[-fifth:])


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What it came to: the CPU time of the worker a job is in µs, of each round."""

    watched: Watched
    without: list[float]
    with_: list[float]


class WorkerChild:
    """Runs a round of jobs whenever it is told to."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._running = Running(process)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def start(self) -> None:
        """Begin a round."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    async def cpu(self) -> float:
        """What the round took that is under way, in µs a job."""
        return float((await self._running.event("cpu"))[0])


async def main() -> int:
    sizes = parse(sys.argv[2:])
    server = await asyncio.to_thread(EmbeddedPostgres.start)
    try:
        await prepare(server.url, sizes)
        cost = await measure(server.url, sizes)
    finally:
        await asyncio.to_thread(server.close)
    return tell(cost, sizes)


def parse(arguments: Sequence[str]) -> Sizes:
    """Read the command line; what is wrong with it ends the program."""
    parser = argparse.ArgumentParser(prog="./dev bench viewers", description="Open pages.")
    parser.add_argument("--seconds", type=float, default=Sizes.seconds, help="to look for (600)")
    parser.add_argument("--rounds", type=int, default=Sizes.rounds, help="of work (10; 2 to 31)")
    parser.add_argument("--viewers", type=int, default=Sizes.viewers, help="open pages (64)")
    asked = parser.parse_args(list(arguments))
    return Sizes(seconds=asked.seconds, rounds=asked.rounds, viewers=asked.viewers)


def tell(cost: Cost, sizes: Sizes) -> int:
    """Print it; 1 where something is not as it should be."""
    watched = cost.watched
    before, after = watched.fifths
    took = watched.viewed.refreshes
    without, with_ = Spread.of(cost.without), Spread.of(cost.with_)
    change = Change.of(cost.without, cost.with_)
    median, most = statistics.median(took) * 1e3, percentile(took, 95) * 1e3
    print(
        f"{sizes.viewers} viewers for {sizes.seconds:g} s: {len(took):,} refreshes, median "
        f"{median:.0f} ms, 95 % within {most:.0f} ms; {watched.cpu * 100:.0f} % of a core\n"
        f"memory of the admin process: {before / 1e6:.1f} MB, then {after / 1e6:.1f} MB "
        f"({(after - before) / 1e6:+.1f}; allowed: {ALLOWED_BYTES / 1e6:+.0f})\n"
        f"shared readings: {watched.samples * 100:.1f} % of one connection (at most "
        f"{BUDGET * 100:.0f})\n"
        f"worker, µs of CPU a job: {short_spread(without)} without viewers, "
        f"{short_spread(with_)} with; {change}"
    )
    is_flat = after - before < ALLOWED_BYTES
    is_same = change.low <= 0
    return 0 if is_flat and is_same and watched.samples <= BUDGET else 1


async def prepare(url: str, sizes: Sizes) -> None:
    """Make the schema, and jobs that nobody runs meanwhile."""
    database = await open_database(url)
    await migrate(database, Schema("graphile_worker"))
    await database.aclose()
    connection = await asyncpg.connect(url)
    tasks, jobs = FILL.split(";\n", 1)
    await connection.execute(tasks)
    await connection.execute(jobs, sizes.waiting)
    await connection.execute("vacuum analyze")
    await connection.close()


async def measure(url: str, sizes: Sizes) -> Cost:
    """Look at everything; the schema and the jobs are there."""
    async with admin_of(url) as (admin, address), worker_of(url, sizes) as worker:
        with set_apart(worker.pid, admin.pid):
            watched = await watch(admin, address, worker, sizes)
            without: list[float] = []
            with_: list[float] = []
            for _ in range(sizes.rounds):
                without += await rounds(worker, 1)
                async with viewers(address, sizes.viewers):
                    with_ += await rounds(worker, 1)
    return Cost(watched=watched, without=without, with_=with_)


async def watch(admin: psutil.Process, address: str, worker: WorkerChild, sizes: Sizes) -> Watched:
    """Look at the admin process while there are viewers, and jobs run."""
    memory: list[int] = []
    async with viewers(address, sizes.viewers) as viewed:
        begun, spent, used = time.monotonic(), await spent_at(address), own_cpu_seconds(admin)
        working = asyncio.create_task(rounds(worker, None))
        while time.monotonic() < begun + sizes.seconds:
            memory.append(admin.memory_info().rss)
            await asyncio.sleep(min(1.0, sizes.seconds / 20))
        elapsed = time.monotonic() - begun
        spent, used = await spent_at(address) - spent, own_cpu_seconds(admin) - used
        working.cancel()
        await asyncio.wait([working])
    await worker.cpu()  # the round that was under way
    return Watched(viewed=viewed, memory=memory, samples=spent / elapsed, cpu=used / elapsed)


@contextmanager
def set_apart(worker: int, admin: int) -> Generator[None]:
    """Give the worker a core, and the rest to the admin process and to us, where that can be."""
    every = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    *others, last = sorted(every) or [0]
    if not others:
        yield
        return
    os.sched_setaffinity(worker, {last})
    os.sched_setaffinity(admin, others)
    os.sched_setaffinity(0, others)
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


# -- the admin process --------------------------------------------------------------------------


@asynccontextmanager
async def admin_of(url: str) -> AsyncGenerator[tuple[psutil.Process, str]]:
    """`graphile-worker admin`, and its address."""
    arguments = ("admin", "--listen", "127.0.0.1:0", "--auth", "none", "--database-url", url)
    async with child("graphile_worker", *arguments) as process:
        *_, address = await Running(process).event("Graphile")
        yield psutil.Process(process.pid), address


async def spent_at(address: str) -> float:
    """Seconds for which shared readings kept a connection busy so far."""
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.get("/metrics")
    [value] = re.findall(r"admin_samples_seconds_total\{.*\} (\S+)", answer.text)
    return float(value)


# -- viewers ------------------------------------------------------------------------------------


@asynccontextmanager
async def viewers(address: str, count: int) -> AsyncGenerator[Viewed]:
    """So many open pages, all of them following; one that fails is told of in the end."""
    viewed = Viewed()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60) as client:
        pages = [
            asyncio.create_task(look(client, PAGES[n % len(PAGES)], viewed, PULSE * n / count))
            for n in range(count)
        ]
        try:
            async with asyncio.timeout(60):
                while viewed.open < count and not any(page.done() for page in pages):
                    await asyncio.sleep(0.01)
            yield viewed
        finally:
            for page in pages:
                page.cancel()
            ended = await asyncio.gather(*pages, return_exceptions=True)
    if broken := [one for one in ended if not isinstance(one, asyncio.CancelledError)]:
        raise RuntimeError(f"{len(broken)} streams ended: {broken[0]!r}")


async def look(client: httpx.AsyncClient, path: str, viewed: Viewed, late: float) -> None:
    """Load a page so many seconds late, since no two come at once, and do what its script does."""
    await asyncio.sleep(late)
    page = (await client.get(path)).raise_for_status()
    regions: dict[str, list[str]] = defaultdict(list)
    for name, kind in re.findall(r'data-region="(\w+)" data-live="(\w+)"', page.text):
        regions[kind].append(name)
    async with client.stream("GET", "/events") as stream:
        stream.raise_for_status()
        viewed.open += 1
        async for line in stream.aiter_lines():
            if not line.startswith("data:"):
                continue
            told = json.loads(line.removeprefix("data:"))
            if names := [name for kind in told["kinds"] for name in regions[kind]]:
                began = time.perf_counter()
                (await client.get(path, headers={"X-Region": ",".join(names)})).raise_for_status()
                viewed.refreshes.append(time.perf_counter() - began)


# -- the worker ---------------------------------------------------------------------------------


@asynccontextmanager
async def worker_of(url: str, sizes: Sizes) -> AsyncGenerator[WorkerChild]:
    """A worker in a process of its own, that has run a first round."""
    async with child("bench.viewers", url, str(sizes.jobs)) as process:
        worker = WorkerChild(process)
        worker.start()
        await worker.cpu()
        yield worker


async def rounds(worker: WorkerChild, count: int | None) -> list[float]:
    """What so many rounds took; None: one after the other, until it is cancelled."""
    took: list[float] = []
    while count is None or len(took) < count:
        worker.start()
        took.append(await worker.cpu())
    return took


async def round_of_jobs(url: str, jobs: int) -> float:
    """Microseconds of this process a job, from the first claim to the last release."""
    options = WorkerOptions(
        database_url=url, tasks=[query], concurrency=8, listen_os_shutdown_signals=False
    )
    async with options.init() as worker:
        utils = worker.create_utils()
        await utils.add_jobs(query, [Mail("ada@example.com", "Hello")] * jobs)
        countdown.left, countdown.end = jobs, worker.request_shutdown
        began = time.process_time()
        await worker.run()
        return (time.process_time() - began) / jobs * 1e6


@asynccontextmanager
async def child(module: str, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A Python process, ended in the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


if __name__ == "__main__":
    for _ in sys.stdin:
        print("cpu", asyncio.run(round_of_jobs(sys.argv[1], int(sys.argv[2]))), flush=True)
