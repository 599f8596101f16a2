"""The admin pages over a million jobs: what each costs, and what looking at them costs.

850,000 jobs scheduled, retried or failed, 150,000 due, 20 of them running, on a server of its own
that was vacuumed. Each page is asked for once, which takes the samples that it needs, and then
eleven times, as a whole; the median of those counts. Beside it stands what a browser loads for it
that has nothing yet, compressed. Then the samples that all viewers share are asked for as an open
overview and an open list of running jobs do it, for half a minute: the time they keep a connection
busy, as a share of that, is to stay below a twentieth.
"""

import asyncio
import re
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
TARGET = 0.100
WEIGHT = 60_000
"""Bytes of a page with all that it loads."""
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
update graphile_worker._private_jobs
set locked_at = now() - id % 60 * interval '1 second', locked_by = 'worker', attempts = 1
where id % 50000 = 1;
select graphile_worker.worker_heartbeat('worker', json_build_object('tasks', json_agg(identifier)))
from graphile_worker._private_tasks;
"""
PAGES = (
    "/",
    "/jobs",
    "/jobs?state=ready",
    "/jobs?state=scheduled",
    "/jobs?state=retrying",
    "/jobs?state=running",
    "/jobs?state=failed",
    "/jobs?state=failed&task=task_2",
    "/jobs?state=failed&error=upstream",
    "/jobs?key=key:500000",
    "/jobs?payload=user.id%3D999999",
    "/jobs/500000",
    "/failures",
    "/tasks",
    "/tasks/task_7",
    "/queues",
    "/queues/queue_7",
    "/workers",
    "/cron",
    "/health",
    "/audit",
)


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
        print(f"{JOBS:,} jobs; milliseconds of the server: median of {ROUNDS}, (the first)")
        bad = [path for path in PAGES if await is_bad(client, path)]
        busy = await looking(client, app)
    await app.aclose()
    print(f"looking: {busy * 100:.1f} % of one connection (at most {BUDGET * 100:.0f})")
    if bad:
        print(f"too slow, or too heavy: {', '.join(bad)}")
    return 1 if bad or busy > BUDGET else 0


async def is_bad(client: httpx.AsyncClient, path: str) -> bool:
    """Whether a page takes too long, or weighs too much."""
    first, page = await timed(client, path)
    page.raise_for_status()
    median = statistics.median([(await timed(client, path))[0] for _ in range(ROUNDS)])
    weight = await weight_of(client, page)
    print(
        f"{path:36} {median * 1000:7.1f} ({first * 1000:5.0f})   {weight / 1000:5.1f} kB all told"
    )
    return median > TARGET or weight > WEIGHT


async def timed(client: httpx.AsyncClient, path: str) -> tuple[float, httpx.Response]:
    started = time.perf_counter()
    page = await client.get(path)
    return time.perf_counter() - started, page


async def weight_of(client: httpx.AsyncClient, page: httpx.Response) -> int:
    """Bytes of a page and of the files that it names, as they are sent."""
    files = set(re.findall(r'(?:href|src)="[./]*(static/[^"]+)"', page.text))
    loaded = [await client.get(f"/{name}") for name in sorted(files)]
    return sum(int(one.headers["Content-Length"]) for one in (page, *loaded))


async def looking(client: httpx.AsyncClient, app: AdminApp) -> float:
    """The share of one connection that the samples took while two pages were open."""
    samples = app.pages.site.samples
    every = [samples.pulse, samples.figures, app.parts.reading.tried.sample, *samples.shared]
    spent, seen = 0.0, {id(one): one.last for one in every}
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        await client.get("/live")
        await client.get("/", headers={"X-Region": "cards,attention,throughput"})
        await client.get("/jobs?state=running")
        for one in every:
            if one.last is not None and one.last is not seen[id(one)]:
                spent += one.last.seconds
                seen[id(one)] = one.last
        await asyncio.sleep(0.5)
    return spent / SECONDS
