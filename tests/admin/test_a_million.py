"""A table of a million jobs: which plans the pages have, and what they take.

What they take is compared with a reading of the whole table by one process, taken in turns with them:
a quarter of a second on the machine on which pages are to take a tenth.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
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
        await vacuumed(connection)
    return url


async def vacuumed(connection: Any) -> None:
    """As a table is that autovacuum keeps up with; what it is about may hold a vacuum up."""
    async with asyncio.timeout(300):
        while True:
            await connection.execute("vacuum analyze graphile_worker._private_jobs", timeout=300)
            if await connection.fetchval(
                "select relallvisible = relpages from pg_class"
                " where oid = 'graphile_worker._private_jobs'::regclass"
            ):
                return


@pytest.fixture
async def made(million: str) -> AsyncIterator[Service]:
    async with service(million) as found:
        yield found


PAGES = ["ready", "waiting", "scheduled", "later", "all", "failed"]
"""Found by an index."""
TRIED = ["failed", "retrying", "running", "stuck", "locked"]
"""Found among the jobs that were found by the last reading of the table."""
LIMIT = 0.4
"""Of a reading of the table by one process; a tenth of a second where that takes a quarter."""
ROUNDS = 9


@pytest.mark.parametrize("state", PAGES)
async def test_pages_read_no_more_of_the_table_than_they_show(made: Service, state: str) -> None:
    plan = await plan_of(made, found_by(made, filter_of(state=state)))
    assert not scans_of_the_table(plan), plan


@pytest.mark.parametrize("state", TRIED)
async def test_shared_lists_find_their_jobs_by_id(made: Service, state: str) -> None:
    tried = (await made.reading.tried.sample.get()).value
    ids = {"failed": tried.failed, "retrying": tried.retrying}.get(state, tried.locked).ids
    assert ids
    for fields in ({}, {"task": "task_7"}, {"error": "nowhere"}):
        wanted = filter_of(state=state, **fields)
        plan = await plan_of(made, found_by(made, wanted, among=ids))
        assert not scans_of_the_table(plan), plan


async def test_kinds_of_failures_are_found_by_id(made: Service) -> None:
    ids = (await made.reading.tried.sample.get()).value.with_error.ids
    statement = admin_samples.failures(
        made.sessions.schema, scope=10_000, task=None, limit=100, among=ids
    )
    assert not scans_of_the_table(await plan_of(made, statement))


async def test_a_key_is_found_by_its_index(made: Service) -> None:
    plan = await plan_of(made, found_by(made, filter_of(key="key-5000")))
    assert "jobs_key_key1" in {node.get("Index Name") for node in plan}


async def test_a_pulse_and_the_load_ahead_read_indexes_only(made: Service) -> None:
    schema = made.sessions.schema
    for statement in (
        admin_samples.pulse(schema),
        admin_samples.forward_load(schema, seconds=1_800, spans=48),
    ):
        plan = await plan_of(made, statement)
        assert {node["Node Type"] for node in plan if of_jobs(node)} == {"Index Only Scan"}


async def test_figures_are_grouped_in_memory(made: Service) -> None:
    plan = await plan_of(made, admin_samples.groups(made.sessions.schema))
    below = [node for node in plan if node["Node Type"] == "Sort"]
    assert all(node["Plan Rows"] < JOBS / 4 for node in below), below


async def test_nobody_holds_a_free_queue_and_the_table_is_not_read(made: Service) -> None:
    statement = admin_samples.queue_holder(made.sessions.schema, "queue_1")
    plan = await plan_of(made, statement, options="analyze, ")
    assert [node["Actual Loops"] for node in plan if of_jobs(node)] == [0]


async def test_what_pages_take(made: Service) -> None:
    reading = made.reading
    lists = [
        *({"state": state} for state in (*PAGES, *TRIED, "blocked", "unclaimed")),
        {"key": "key-5000"},
        {"key": "key-5*"},
        {"state": "later", "queue": "queue_11"},
        {"state": "waiting", "task": "task_7"},
        {"state": "failed", "task": "task_7"},
        {"state": "failed", "error": "nowhere"},
        {"error": "nowhere"},
        {"payload": "user.id=1"},
        {"payload": "nowhere"},
    ]
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        **{str(fields): lambda f=fields: reading.jobs.find(filter_of(**f)) for fields in lists},
        "job": lambda: reading.jobs.one(500_000),
        "queue": lambda: reading.jobs.queue_holder("queue_1"),
        "pulse": lambda: reading.pulse.get(fresh=True),
        "figures": reading.figures.get,
        "failures": reading.kinds.get,
    }
    ratios = await ratios_of(made, calls)
    assert {name: ratio for name, ratio in ratios.items() if ratio > LIMIT} == {}


async def test_what_lies_all_over_the_table_takes_no_longer_than_to_read_it(made: Service) -> None:
    wanted = filter_of(state="retrying", error="nowhere")
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "search": lambda: made.reading.jobs.find(wanted),
        "failures of a task": lambda: made.reading.failures(task="task_7"),
    }
    ratios = await ratios_of(made, calls)
    assert {name: ratio for name, ratio in ratios.items() if ratio > 1} == {}


async def test_what_cannot_use_an_index_is_bounded(made: Service) -> None:
    for fields in ({"error": "nowhere"}, {"payload": "user.id=1"}, {"payload": "nowhere"}):
        page = await made.reading.jobs.find(filter_of(**fields))
        assert (page.searched, page.rows) == (20_000, [])


async def test_the_figures_are_right_and_their_cost_is_known(made: Service) -> None:
    sample = await made.reading.figures.get(fresh=True)
    assert sample.value.counts.total == JOBS
    assert made.reading.figures.period >= 20 * sample.seconds
    assert sample.seconds < LONG_SECONDS / 2


async def test_shared_lists_are_those_of_the_table(made: Service) -> None:
    counts = (await made.reading.figures.get()).value.counts
    tried = (await made.reading.tried.sample.get()).value
    assert tried.locked.jobs == counts.of("locked") == len(tried.locked.ids)
    assert (tried.retrying.jobs, tried.failed.jobs) == (counts.retrying, counts.failed)
    assert (tried.retrying.are_all, tried.failed.are_all) == (False, True)
    for state in TRIED:
        wanted = filter_of(state=state)
        found = await made.sessions.read(found_by(made, wanted))
        page = await made.reading.jobs.find(wanted)
        assert [row.id for row in page.rows] == [place.id for place in found.places], state


def found_by(
    made: Service, wanted: JobFilter, *, among: Sequence[int] | None = None
) -> Statement[Any]:
    workers = admin_jobs.Workers(dead=[], claimed=None)
    return find_jobs(
        made.sessions.schema,
        wanted.order,
        wanted.wanted,
        workers,
        limit=50,
        scope=wanted.scope if wanted.is_searching else 51,
        among=among,
    )


async def plan_of(
    made: Service, statement: Statement[Any], *, options: str = ""
) -> list[dict[str, Any]]:
    """All nodes of the plan that the service would get."""
    async with made.sessions.reading() as connection:
        text = f"explain ({options}format json) {statement.text}"
        rows = await connection.raw.fetch(text, *statement.args)
    return list(nodes(json.loads(rows[0][0])[0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def of_jobs(node: dict[str, Any]) -> bool:
    return node.get("Relation Name") == "_private_jobs"


def scans_of_the_table(plan: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [node for node in plan if node["Node Type"] == "Seq Scan" and of_jobs(node)]


async def ratios_of(
    made: Service, calls: dict[str, Callable[[], Awaitable[Any]]]
) -> dict[str, float]:
    """The median of what each takes, as a part of the median reading of the table."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    yardstick: list[float] = []
    for call in calls.values():  # the samples are there from now on, as for the second viewer
        await call()
    for _ in range(ROUNDS):
        yardstick.append(await seconds_of(lambda: read_the_table(made)))
        for name, call in calls.items():
            took[name].append(await seconds_of(call))
    whole = statistics.median(yardstick)
    return {name: statistics.median(seconds) / whole for name, seconds in took.items()}


async def read_the_table(made: Service) -> None:
    async with made.sessions.reading() as connection:
        await connection.raw.execute("set local max_parallel_workers_per_gather = 0")
        await connection.raw.fetchval(
            "select count(*) from graphile_worker._private_jobs where attempts > 0"
        )


async def seconds_of(call: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began
