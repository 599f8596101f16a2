"""The admin pages over a million jobs: what each costs, and what looking at them costs.

850,000 jobs scheduled or failed, 150,000 due, on a server of its own that was vacuumed. Each page
is asked for eleven times, as a whole; the median counts. Then the samples that all viewers share
are asked for as an open overview does it, for half a minute: the time they keep a connection busy,
as a share of that, is to stay below a twentieth.
"""

import asyncio
import statistics
import time

import asyncpg
import httpx

from graphile_worker.admin import allow_all, create_admin_app
from graphile_worker.admin.app import AdminApp
from graphile_worker.client.open_database import open_database
from graphile_worker.database.schema import Schema
from graphile_worker.embedded.server import EmbeddedPostgres
from graphile_worker.migrations.runner import migrate

JOBS = 1_000_000
ROUNDS = 11
TARGET, SEARCH_TARGET = 0.100, 0.300
BUDGET = 0.05
SECONDS = 30.0

FILL = """
insert into graphile_worker._private_tasks (identifier)
select 'task_' || n from generate_series(1, 40) n;
insert into graphile_worker._private_job_queues (queue_name)
select 'queue_' || n from generate_series(1, 20) n;
insert into graphile_worker._private_jobs
  (task_id, job_queue_id, payload, priority, run_at, attempts, max_attempts, last_error, key)
select
  1 + n % 40,
  case when n % 10 = 0 then 1 + n % 20 end,
  json_build_object('user', json_build_object('id', n), 'note', 'of a usual length'),
  n % 4,
  now() + case when n % 100 < 15 then -1 else 1 end * (n % 86400) * interval '1 second',
  case when n % 1000 < 2 and n % 100 < 15 then 25 when n % 100 = 50 then 3 else 0 end,
  25,
  case
    when n % 1000 < 2 or n % 100 = 50 then 'TimeoutError: upstream ' || n % 7 || ' after 30 s'
  end,
  case when n % 50 = 0 then 'key:' || n end
from generate_series(1, {jobs}) n;
"""
PAGES = (
    "/",
    "/jobs",
    "/jobs?state=ready",
    "/jobs?state=scheduled",
    "/jobs?state=failed",
    "/jobs?key=key:500000",
    "/jobs?payload=user.id%3D999999",
    "/jobs/500000",
    "/tasks",
    "/tasks/task_7",
    "/queues",
    "/queues/queue_7",
    "/workers",
    "/cron",
    "/health",
    "/audit",
)
SEARCHES = ("/jobs?state=retrying", "/jobs?state=failed&error=upstream", "/failures")
"""What few jobs are, and no index of the schema finds: the table is read for them. A partial index
on failed jobs would make the last two quick."""


async def main() -> int:
    server = await asyncio.to_thread(EmbeddedPostgres.start)
    try:
        await fill(server.url)
        return await measure(server.url)
    finally:
        await asyncio.to_thread(server.close)


async def fill(url: str) -> None:
    database = await open_database(url)
    await migrate(database, Schema("graphile_worker"))
    await database.aclose()
    connection = await asyncpg.connect(url)
    await connection.execute(FILL.format(jobs=JOBS))
    await connection.execute("vacuum analyze graphile_worker._private_jobs")
    await connection.close()


async def measure(url: str) -> int:
    app = create_admin_app(url, auth=allow_all())
    transport = httpx.ASGITransport(app)
    headers = {"Accept-Encoding": "gzip"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://admin", headers=headers, timeout=60
    ) as client:
        print(f"{JOBS:,} jobs; median of {ROUNDS}, milliseconds of the server")
        slow = [path for path in PAGES if await median_of(client, path) > TARGET]
        print("searches that read the table")
        slow += [path for path in SEARCHES if await median_of(client, path) > SEARCH_TARGET]
        busy = await looking(client, app)
    await app.aclose()
    print(f"looking: {busy * 100:.1f} % of one connection (at most {BUDGET * 100:.0f})")
    if slow:
        print(f"too slow: {', '.join(slow)}")
    return 1 if slow or busy > BUDGET else 0


async def median_of(client: httpx.AsyncClient, path: str) -> float:
    (await client.get(path)).raise_for_status()  # the samples that it needs are there from now on
    took: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        page = await client.get(path)
        took.append(time.perf_counter() - started)
    median = statistics.median(took)
    size = int(page.headers["Content-Length"])
    print(f"{path:42} {median * 1000:7.1f}   {size / 1000:5.1f} kB compressed")
    return median


async def looking(client: httpx.AsyncClient, app: AdminApp) -> float:
    """The share of one connection that the samples took while the overview was open."""
    samples = app.pages.site.samples
    every = [samples.pulse, samples.figures, *samples.shared]
    spent, seen = 0.0, {id(one): one.last for one in every}
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        await client.get("/live")
        await client.get("/", headers={"X-Region": "cards,attention,throughput"})
        for one in every:
            if one.last is not None and one.last is not seen[id(one)]:
                spent += one.last.seconds
                seen[id(one)] = one.last
        await asyncio.sleep(0.5)
    return spent / SECONDS
