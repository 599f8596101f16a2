"""Adding from SQL, from triggers, and by roles that may do nothing else: as the page says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from support.doc_blocks import ROOT, blocks_of
from support.running import running, sql, until

from graphile_worker import WorkerUtils, task, task_ref

PAGE = ROOT / "docs" / "adding-jobs.md"


def of_the_page(*words: str) -> str:
    """The SQL block of the page that has all these words."""
    [text] = [
        block.text
        for block in blocks_of(PAGE)
        if block.language == "sql" and all(word in block.text for word in words)
    ]
    return text


# -- a role that may only add jobs ---------------------------------------------------------------


@pytest.fixture
async def producer(gw_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as a role with the rights that the page gives it."""
    role = f"producer_{gw_database.partition('?')[0].rpartition('_')[2]}"
    async with sql(gw_database) as admin:
        await admin.execute(f"create role {role}")
        try:
            await admin.execute(of_the_page("security definer"))
            await admin.execute(of_the_page("grant execute").replace("producer", role))
            async with sql(gw_database) as connection:
                await connection.execute(f"set role {role}")
                yield connection
        finally:
            await admin.execute(f"drop owned by {role}; drop role {role}")


async def test_a_producer_can_add_jobs_and_nothing_else(
    producer: asyncpg.Connection, gw_database: str
) -> None:
    new = task_ref("number", int).job(1)
    added = await producer.fetchval(
        "select jobs.add_job($1, $2::text::json, 'k')", new.identifier, new.payload
    )
    async with WorkerUtils.connect(gw_database) as utils:
        [job] = await utils.list_jobs()
    assert (job.id, job.task_identifier, job.payload, job.key) == (added, "number", 1, "k")
    for forbidden in (
        "select graphile_worker.add_job('number')",
        "select * from graphile_worker.jobs",
        "select * from graphile_worker._private_jobs",
        "delete from graphile_worker._private_jobs",
        "select graphile_worker.complete_jobs(array[1])",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await producer.execute(forbidden)


async def test_a_producers_own_functions_are_not_called(
    producer: asyncpg.Connection, gw_database: str
) -> None:
    """`unnest(text[])` would be a better match for the schema's function than PostgreSQL's own."""
    async with sql(gw_database) as admin:
        await admin.execute(
            """
            create schema evil;
            create function evil.unnest(text[]) returns setof text language plpgsql as
              $$ begin raise 'called by %', current_user; end $$;
            create function evil.json_typeof(json) returns text language plpgsql as
              $$ begin raise 'called by %', current_user; end $$;
            grant usage on schema evil to public;
            """
        )
    await producer.execute("set search_path = evil, pg_catalog")
    await producer.execute("create temporary table _private_jobs (id int)")
    added = await producer.fetchval("select jobs.add_job('t', '[1]', 'k')")
    assert await producer.fetchval("select jobs.add_job('t', '[2]', 'k')") == added


async def test_others_may_not_call_the_wrapper(
    producer: asyncpg.Connection, gw_database: str
) -> None:
    role = f"other_{gw_database.partition('?')[0].rpartition('_')[2]}"
    async with sql(gw_database) as admin:
        await admin.execute(f"create role {role}; grant usage on schema jobs to {role}")
        try:
            await admin.execute(f"set role {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await admin.execute("select jobs.add_job('t')")
        finally:
            await admin.execute(f"reset role; drop owned by {role}; drop role {role}")


# -- triggers ------------------------------------------------------------------------------------


async def test_a_trigger_adds_in_the_transaction_and_the_worker_hears_of_it(
    gw_database: str,
) -> None:
    welcomed: list[object] = []
    heard = asyncio.Event()

    @task("send_welcome")
    async def send_welcome(payload: dict[str, str]) -> None:
        welcomed.append(payload)
        heard.set()

    options = {"tasks": [send_welcome], "poll_interval": 3600}
    async with running(gw_database, **options) as worker, sql(gw_database) as connection:
        await connection.execute(of_the_page("create trigger"))
        async with asyncio.timeout(15):
            await heard.wait()
        assert welcomed == [{"email": "cy@example.com"}]

        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("insert into members (email) values ('nobody@example.com')")
        await transaction.rollback()
        heard.clear()
        await connection.execute(of_the_page("job_spec"))
        async with asyncio.timeout(15):
            await heard.wait()

        async def all_done() -> bool:
            return not (await worker.create_utils().stats()).total

        await until(all_done)
    assert welcomed == [{"email": "cy@example.com"}] * 2
