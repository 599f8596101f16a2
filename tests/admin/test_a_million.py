"""A table of a million jobs: which plans the pages have, and what they take."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from support.admin import Service, service
from support.running import sql

from graphile_worker.admin.service.filters import JobFilter, filter_of
from graphile_worker.admin.service.sessions import LONG_SECONDS
from graphile_worker.database.statement import Statement
from graphile_worker.queries import admin_jobs, admin_samples
from graphile_worker.queries.admin_jobs import find_jobs

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

JOBS = 1_000_000
FILL = f"""
insert into graphile_worker._private_jobs
  (task_id, job_queue_id, payload, priority, run_at, attempts, last_error, key, locked_at, locked_by)
select
  1 + i % 40,
  case when i % 10 = 0 then 1 + i % 50 end,
  json_build_object('user', json_build_object('id', i), 'text', repeat('x', 100)),
  i % 4,
  case
    when i % 100 < 15 then now() - interval '1 second' * (i % 5000)
    else now() + interval '1 second' * (i % 500000)
  end,
  case when i % 500 = 1 then 25 when i % 20 = 17 then 3 else 0 end,
  case when i % 500 = 1 or i % 20 = 17 then 'timeout after ' || i || ' s' end,
  case when i % 1000 = 0 then 'key-' || i end,
  case when i % 50000 = 3 then now() end,
  case when i % 50000 = 3 then 'worker-' || i % 7 end
from generate_series(1, {JOBS}) as i
"""


@pytest.fixture(scope="module")
def million(server: Any) -> Iterator[str]:
    url = asyncio.run(fill(server))
    yield url
    asyncio.run(server.drop(url))


async def fill(server: Any) -> str:
    url: str = await server.create_migrated()
    async with sql(url) as connection:
        await connection.execute(
            "insert into graphile_worker._private_tasks (identifier)"
            " select 'task_' || i from generate_series(1, 40) as i"
        )
        await connection.execute(
            "insert into graphile_worker._private_job_queues (queue_name)"
            " select 'queue_' || i from generate_series(1, 50) as i"
        )
        await connection.execute(FILL, timeout=300)
        await connection.execute("vacuum analyze graphile_worker._private_jobs", timeout=300)
    return url


@pytest.fixture
async def made(million: str) -> AsyncIterator[Service]:
    async with service(million) as found:
        yield found


PAGES = ["ready", "waiting", "scheduled", "later", "all", "failed"]
WHOLE = ["retrying", "running", "stuck"]
"""No index has what they are ordered by."""


@pytest.mark.parametrize("state", PAGES)
async def test_pages_read_no_more_of_the_table_than_they_show(made: Service, state: str) -> None:
    wanted = filter_of(state=state)
    plan = await plan_of(made, found_by(made, wanted))
    assert not [node for node in plan if node["Node Type"] == "Seq Scan" and of_jobs(node)], plan


async def test_a_key_is_found_by_its_index(made: Service) -> None:
    plan = await plan_of(made, found_by(made, filter_of(key="key-5000")))
    assert "jobs_key_key1" in {node.get("Index Name") for node in plan}


async def test_a_pulse_reads_indexes_only(made: Service) -> None:
    plan = await plan_of(made, admin_samples.pulse(made.sessions.schema))
    scans = {node["Node Type"] for node in plan if of_jobs(node)}
    assert scans == {"Index Only Scan"}


async def test_what_pages_take(made: Service) -> None:
    reading = made.reading
    await reading.figures.get()
    for state in [*PAGES, "blocked", "unclaimed"]:
        assert await quickest(lambda s=state: reading.jobs(filter_of(state=s))) < 0.1, state
    for state in WHOLE:
        assert await quickest(lambda s=state: reading.jobs(filter_of(state=s))) < 1.0, state
    for fields in (
        {"key": "key-5000"},
        {"state": "later", "queue": "queue_11"},
    ):
        assert await quickest(lambda f=fields: reading.jobs(filter_of(**f))) < 0.1, fields
    # All ready jobs of the priorities before its own are passed over, in the index.
    rare = filter_of(state="waiting", task="task_7")
    assert await quickest(lambda: reading.jobs(rare)) < 0.5
    assert await quickest(lambda: reading.job(500_000)) < 0.1
    assert await quickest(lambda: reading.pulse.get(fresh=True)) < 0.1
    assert await quickest(reading.figures.get) < 0.1


async def test_what_cannot_use_an_index_is_bounded(made: Service) -> None:
    await made.reading.figures.get()
    for fields in ({"error": "nowhere"}, {"payload": "user.id=1"}, {"payload": "nowhere"}):
        page = await made.reading.jobs(filter_of(**fields))
        assert (page.searched, page.rows) == (20_000, [])
        assert await quickest(lambda f=fields: made.reading.jobs(filter_of(**f))) < 0.5, fields


async def test_the_figures_are_right_and_their_cost_is_known(made: Service) -> None:
    sample = await made.reading.figures.get(fresh=True)
    assert sample.value.counts.total == JOBS
    assert made.reading.figures.period >= 20 * sample.seconds
    assert sample.seconds < LONG_SECONDS / 2


def found_by(made: Service, wanted: JobFilter) -> Statement[Any]:
    workers = admin_jobs.Workers(dead=[], claimed=None)
    return find_jobs(made.sessions.schema, wanted.order, wanted.wanted, workers, limit=50, scope=51)


async def plan_of(made: Service, statement: Statement[Any]) -> list[dict[str, Any]]:
    """All nodes of the plan that the service would get."""
    async with made.sessions.reading() as connection:
        text = f"explain (format json) {statement.text}"
        rows = await connection.raw.fetch(text, *statement.args)
    return list(nodes(json.loads(rows[0][0])[0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def of_jobs(node: dict[str, Any]) -> bool:
    return node.get("Relation Name") == "_private_jobs"


async def quickest(call: Callable[[], Awaitable[Any]]) -> float:
    """Seconds, of seven calls: what it takes where nobody else is at work."""
    seconds: list[float] = []
    for _ in range(7):
        began = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
