"""What is shown of a queue whose jobs cannot be counted, as of one that is too big for that."""

from __future__ import annotations

import asyncpg
import pytest
from support.admin import service
from support.admin_app import admin
from support.admin_site import browsing
from support.running import sql

from graphile_worker import DatabaseError
from graphile_worker.admin import Identity
from graphile_worker.admin.service.filters import filter_of

JOBS = """
select graphile_worker.add_job('t', queue_name := 'q') from generate_series(1, 3);
select graphile_worker.add_job('uncountable');
update graphile_worker._private_jobs set locked_at = now(), locked_by = 'silent' where id = 1;
update graphile_worker._private_job_queues set locked_at = now(), locked_by = 'silent';
update graphile_worker._private_jobs set attempts = 25, run_at = '4714-11-24 00:00:00+00 BC' where id = 4;
insert into graphile_worker._private_workers (id, last_heartbeat_at, started_at)
values ('silent', now() - interval '2 hours', now() - interval '9 hours');
"""


async def fill(connection: asyncpg.Connection) -> None:
    """Jobs of which one is due so long ago that PostgreSQL cannot say when it failed."""
    await connection.execute(JOBS)


async def test_jobs_are_listed_and_shown(gw_database: str) -> None:
    async with sql(gw_database) as connection, service(gw_database) as made:
        await fill(connection)
        with pytest.raises(DatabaseError, match="out of range"):
            await made.reading.figures.get()
        jobs = made.reading.jobs
        page = await jobs.find(filter_of(task="t"))
        assert {row.id: row.state.value for row in page.rows} == {
            1: "stuck",
            2: "blocked",
            3: "blocked",
        }
        assert [row.id for row in (await jobs.find(filter_of(state="stuck"))).rows] == [1]
        one = await jobs.one(2)
        assert one is not None
        assert one.holder is not None
        assert one.holder.job_id == 1
        assert [row.id for row in await jobs.rows([1, 3])] == [1, 3]
        preview = await jobs.preview(filter_of(task="t"))
        assert (preview.jobs, preview.is_exact) == (3, True)
        walked = [ids async for ids in jobs.walk(filter_of(task="t"), chunk=10)]
        assert walked == [[3, 2, 1]]
        chunks = [rows async for rows in jobs.export(filter_of(task="t"))]
        assert [row.id for rows in chunks for row in rows] == [3, 2, 1]


async def test_nothing_is_called_unclaimed(gw_database: str) -> None:
    async with sql(gw_database) as connection, service(gw_database) as made:
        await fill(connection)
        await connection.execute(
            "insert into graphile_worker._private_workers (id, last_heartbeat_at, started_at, metadata)"
            """ values ('live', now(), now(), '{"tasks": ["t"]}')"""
        )
        await connection.execute(
            "select graphile_worker.add_job('other', run_at := now() - interval '1 hour');"
            "update graphile_worker._private_jobs set created_at = run_at where id = 5"
        )
        assert (await made.reading.jobs.rows([5]))[0].state.value == "ready"
        await connection.execute("delete from graphile_worker._private_jobs where id = 4")
        await made.reading.figures.get(fresh=True)
        assert (await made.reading.jobs.rows([5]))[0].state.value == "unclaimed"


async def test_pages_say_so_and_show_the_rest(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await fill(connection)
        for path in ("/jobs?task=t", "/jobs/2", "/jobs/act?all=delete&task=t", "/cron", "/health"):
            page = await client.get(path)
            assert page.status_code == 200, path
            assert "Jobs cannot be counted" in page.text, path
            assert "database cannot be read" not in page.text, path
        assert (await client.get("/")).status_code == 200
        facts = (await client.get("/health")).text
        assert "Counting all jobs takes" in facts
        assert "it does not succeed" in facts
        live = (await client.get("/live")).json()
        assert live["at"] is not None
        assert live["lost"] is None
        assert "Jobs cannot be counted" in live["note"]


async def test_the_api_has_jobs_and_health(gw_database: str) -> None:
    alice = Identity.of("alice", "admin")
    async with sql(gw_database) as connection:
        await fill(connection)
        async with admin(gw_database, auth=lambda _scope: alice) as client:
            jobs = (await client.get("/api/v1/jobs", params={"task": "t"})).json()
            assert [job["id"] for job in jobs["rows"]] == [3, 2, 1]
            health = await client.get("/api/v1/health")
            assert health.status_code == 200
            assert health.json()["figures_seconds"] is None
