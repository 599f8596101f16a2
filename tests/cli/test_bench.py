"""`graphile-worker bench`: what it measures, and that it leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal

import pytest
from support.running import sql, until

FAST = ("bench", "--jobs", "100", "--concurrency", "4")


async def scratch_schemas(url: str) -> list[str]:
    async with sql(url) as connection:
        rows = await connection.fetch(
            "select nspname::text from pg_namespace where nspname like 'gw\\_bench\\_%'"
        )
    return [row[0] for row in rows]


async def test_it_measures_and_cleans_up(cli, gw_database):
    ended = cli(*FAST, "--json", "--database-url", gw_database)
    assert (ended.code, ended.err) == (0, "")
    told = json.loads(ended.out)
    assert told.pop("server").startswith("PostgreSQL ")
    assert [told.pop(name) for name in ("jobs", "concurrency", "job_seconds")] == [100, 4, 0]
    spreads = [told.pop("adding_one"), told.pop("latency")]
    for spread in spreads:
        assert list(spread) == ["median_ms", "p95_ms", "p99_ms", "longest_ms"]
        assert 0 < spread["median_ms"] <= spread["p95_ms"] <= spread["longest_ms"]
    assert list(told) == [
        "adding_per_second",
        "running_per_second",
        "running_with_local_queue_per_second",
    ]
    assert all(value > 0 for value in told.values())
    assert await scratch_schemas(gw_database) == []
    async with sql(gw_database) as connection:
        count = await connection.fetchval("select count(*) from graphile_worker._private_jobs")
    assert count == 0, "jobs of others are none of its business"


async def test_jobs_that_take_a_while_and_a_database_without_any_schema(cli, empty_database):
    ended = cli(*FAST, "--job-duration", "1ms", "--database-url", empty_database)
    assert (ended.code, ended.err) == (0, "")
    first, _, *lines = ended.out.splitlines()
    assert re.fullmatch(r"In the scratch schema gw_bench_\w+, which is removed afterwards:", first)
    assert [line[2:36].rstrip() for line in lines] == [
        "adding one job at a time",
        "adding many at once",
        "running",
        "running with the local queue",
        "from adding to starting, when idle",
    ]
    assert await scratch_schemas(empty_database) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_in_the_middle_leaves_nothing_behind(number, start, empty_database):
    bench = start(
        *("bench", "--jobs", "1000", "--concurrency", "1", "--job-duration", "50ms"),
        *("--database-url", empty_database),
    )
    [schema] = await until(lambda: scratch_schemas(empty_database))

    async def runs() -> bool:
        async with sql(empty_database) as connection:
            there = await connection.fetchval(
                "select to_regclass($1)", f"{schema}._private_workers"
            )
            return there and await connection.fetchval(
                f"select exists (select from {schema}._private_jobs where locked_at is not null)"
            )

    await until(runs)
    bench.send_signal(number)
    _, err = bench.communicate(timeout=30)
    assert (bench.returncode, err) == (130, "")
    assert await scratch_schemas(empty_database) == []


async def test_a_failure_in_the_middle_leaves_nothing_behind(start, empty_database):
    bench = start(
        *("bench", "--jobs", "1000", "--concurrency", "1", "--job-duration", "50ms"),
        *("--database-url", empty_database),
    )
    [schema] = await until(lambda: scratch_schemas(empty_database))

    async def broken() -> bool:
        """A table is gone while jobs are added or run."""
        async with sql(empty_database) as connection:
            if not await connection.fetchval(
                "select to_regclass($1)", f"{schema}._private_workers"
            ):
                return False
            await connection.execute(f"drop table {schema}._private_tasks cascade")
            return True

    await until(broken)
    _, err = bench.communicate(timeout=45)
    assert bench.returncode == 1
    assert err.splitlines()[-1].startswith("Error: ")
    assert await scratch_schemas(empty_database) == []


async def test_a_role_that_may_not_create_schemas_is_told_so(cli, empty_database):
    async with sql(empty_database) as connection:
        await connection.execute("create role visitor")
        url = f"{empty_database}&options=-c%20role%3Dvisitor"
        try:
            ended = cli(*FAST, "--database-url", url)
        finally:
            await connection.execute("drop role visitor")
    assert ended.code == 1
    assert "grant create on database" in ended.err
    assert await scratch_schemas(empty_database) == []
