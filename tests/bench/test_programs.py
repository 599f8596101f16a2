"""Our own programs do what they are asked, on tables as they are now."""

from __future__ import annotations

import pytest
from bench.contenders import by_name
from bench.installing import find_programs
from bench.process import ended, started
from bench.templates import Jobs, add, fill, left
from support.running import sql, until

JOBS = 60


@pytest.mark.parametrize("name", ["ours_local_queue", "raw", "sketch"])
async def test_jobs_are_run_and_told_of(name: str, gw_database: str) -> None:
    contender = by_name(name)
    programs, _ = find_programs({contender.program})
    options = {**contender.options, "jobs": JOBS}
    async with sql(gw_database) as connection:
        await add(connection, Jobs(ready=JOBS))
        program = programs[contender.program]
        async with started(program, contender.role, gw_database, options) as running:
            first = int((await running.event("first"))[0])
            last = int((await running.event("last"))[0])
            assert last >= first
            await until(lambda: is_empty(connection))


async def is_empty(connection) -> bool:
    return not await connection.fetchval(left("ours"))


async def test_tables_are_made_and_jobs_added(empty_database: str) -> None:
    programs, _ = find_programs({"ours"})
    await ended(programs["ours"], "install", empty_database, {})
    events = await ended(programs["ours"], "enqueue", empty_database, {"one": 3, "many": 5})
    assert [words[:2] for words in events] == [["rate", "one"], ["rate", "many"]]
    async with sql(empty_database) as connection:
        assert await connection.fetchval(left("ours")) == 1 + 3 + 5


@pytest.mark.parametrize(
    ("jobs", "queues", "stuck"),
    [
        (Jobs(ready=30), 0, 0),
        (Jobs(ready=30, queues=3), 3, 0),
        (Jobs(ready=30, stuck=10), 2, 10),
        (Jobs(ready=5, payload_bytes=1_000, distinct_run_at=True), 0, 0),
    ],
)
async def test_tables_are_filled_as_they_are_described(
    jobs: Jobs, queues: int, stuck: int, gw_database: str
) -> None:
    await fill(gw_database, jobs)
    async with sql(gw_database) as connection:
        assert await connection.fetchval(left("ours")) == jobs.ready + stuck
        names = "select count(*) from graphile_worker._private_job_queues"
        assert await connection.fetchval(names) == queues
        locked = (
            "select count(*) from graphile_worker._private_jobs as j"
            " join graphile_worker._private_job_queues as q on q.id = j.job_queue_id"
            " where not q.is_available"
        )
        assert await connection.fetchval(locked) == stuck
        times = "select count(distinct run_at) from graphile_worker._private_jobs"
        if jobs.distinct_run_at:
            assert await connection.fetchval(times) == jobs.ready
        size = "select min(length(payload::text)) from graphile_worker._private_jobs"
        assert await connection.fetchval(size) >= jobs.payload_bytes
