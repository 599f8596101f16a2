"""Tables of our own, beside shared ones: nobody's migrations mind, and nothing is left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from support.node_worker import node_worker
from support.older_schemas import make_at
from support.running import sql
from support.schema_facts import ledger, schema_facts

from graphile_worker import DatabaseError, HistoryConfig, WorkerOptions, WorkerUtils, task
from graphile_worker.client.open_database import open_database
from graphile_worker.client.operations import side_tables
from graphile_worker.database.executor import Database
from graphile_worker.database.operation import perform_together
from graphile_worker.database.schema import Schema
from graphile_worker.migrations.runner import migrate
from graphile_worker.queries.side_tables import Feature

SCHEMA = Schema("graphile_worker")


@task(payload=None)
async def greet() -> None: ...


@pytest.fixture
async def database(empty_database: str) -> AsyncIterator[Database]:
    database = await open_database(empty_database)
    yield database
    await database.aclose()


@pytest.fixture
async def db(empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    async with sql(empty_database) as connection:
        yield connection


def theirs(facts: dict[str, Any]) -> dict[str, Any]:
    """What there is of a schema, but for what is ours."""
    return {what: [row for row in rows if "_gwx_" not in repr(row)] for what, rows in facts.items()}


async def test_uninstalling_leaves_the_schema_as_it_was(
    database: Database, db: asyncpg.Connection
) -> None:
    await migrate(database, SCHEMA)
    before = await schema_facts(db, SCHEMA)
    utils = WorkerUtils(database)
    await utils.history.install()
    await utils.history.install(HistoryConfig(run_log="all"))
    await utils.pause_task("t")
    during = await schema_facts(db, SCHEMA)
    assert during != before
    assert theirs(during) == theirs(before)

    assert await utils.history.uninstall() == ["pause"], "something is paused"
    assert [pause.name for pause in (await utils.paused()).tasks] == ["t"]
    await utils.resume_task("t")
    assert await utils.history.uninstall() == []
    assert await schema_facts(db, SCHEMA) == before
    assert await utils.history.uninstall() == []
    assert not await utils.resume_task("t")
    with pytest.raises(DatabaseError) as no_table:
        await utils.history.periods()
    assert no_table.value.sqlstate == "42P01"


async def test_what_other_features_made_stays(database: Database) -> None:
    await migrate(database, SCHEMA)
    audit = side_tables.install(SCHEMA, Feature("audit", 1, {}), ["audit/create"])
    await perform_together(database, audit)
    utils = WorkerUtils(database)
    await utils.history.install()
    assert await utils.history.uninstall() == ["audit"]


@pytest.mark.parametrize("revision", [0, 11, 18, 19])
async def test_our_migrations_run_with_the_tables_present(
    revision: int, database: Database, db: asyncpg.Connection
) -> None:
    if revision:
        await make_at(db, SCHEMA, revision)
    else:
        await db.execute("create schema graphile_worker")
    await WorkerUtils(database).history.install()
    assert (await migrate(database, SCHEMA)).after == 20
    await migrate(database, Schema("fresh"))
    facts = theirs(await schema_facts(db, SCHEMA))
    assert facts == await schema_facts(db, Schema("fresh"))
    assert [number for number, _ in await ledger(db, SCHEMA)] == list(range(1, 21))


async def test_an_odd_name_of_the_schema(empty_database: str, database: Database) -> None:
    odd = Schema('o\'dd "%s" {$1}')
    await migrate(database, odd)
    utils = WorkerUtils(database, schema=odd)
    await utils.history.install(HistoryConfig(run_log="all"))
    await utils.pause_task("other")
    await utils.add_raw_job("greet")
    options = WorkerOptions(database_url=empty_database, tasks=[greet], schema=odd.name)
    async with options.init() as worker:
        await worker.run_once()
    assert len(await utils.history.runs()) == 1
    assert await utils.history.prune()
    assert len((await utils.paused()).tasks) == 1


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("version", "revision"),
    [("0.16.6", 0), ("0.16.6", 18), ("0.17.3", 0), ("0.17.3", 18), ("0.18.0", 0), ("0.18.0", 19)],
)
async def test_nodes_migrations_run_with_the_tables_present(
    version: str, revision: int, empty_database: str, database: Database, db: asyncpg.Connection
) -> None:
    node = node_worker(version)
    if revision:
        await make_at(db, SCHEMA, min(revision, 18))
    else:
        await db.execute("create schema graphile_worker")
    if revision == 19:
        await db.execute("insert into graphile_worker.migrations values (19, now(), true)")
    utils = WorkerUtils(database)
    await utils.history.install(HistoryConfig(run_log="all"))
    await utils.pause_task("t")
    node.run_once(empty_database)
    await db.execute("select graphile_worker.add_job('greet')")
    node.run_once(empty_database)
    assert await db.fetchval("select count(*) from graphile_worker.jobs") == 0
    await migrate(database, SCHEMA)
    assert await utils.history.status() is not None
    assert [pause.name for pause in (await utils.paused()).tasks] == ["t"]
