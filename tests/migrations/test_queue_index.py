"""The index of ours on the shared table."""

from __future__ import annotations

import asyncpg
import pytest
from support.older_schemas import make_at
from support.watched_database import ActAs

from graphile_worker import SyncWorkerUtils
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect_sync
from graphile_worker.migrations.queue_index import NAME
from graphile_worker.migrations.runner import migrate


async def is_valid(postgres: asyncpg.Connection, schema: Schema) -> bool | None:
    return await postgres.fetchval(
        "select indisvalid from pg_index where indexrelid = to_regclass($1)",
        f"{schema.quoted}.{NAME}",
    )


async def test_a_new_schema_has_it(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    result = await migrate(database, schema, builds_index=False)
    assert result.has_queue_index
    assert await is_valid(postgres, schema)


async def test_a_worker_does_not_build_it_on_a_table_of_others(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, 18)
    result = await migrate(database, schema, builds_index=False)
    assert not result.has_queue_index
    assert await is_valid(postgres, schema) is None


async def test_migrating_builds_it_while_others_work(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, 20)
    await postgres.execute(f"select {schema.quoted}.add_job('t', queue_name := 'q')")
    result = await migrate(database, schema)
    assert (result.has_queue_index, result.warnings) == (True, ())
    assert await is_valid(postgres, schema)


async def test_migrating_without_a_loop_builds_it_too(
    database: Database, schema: Schema, postgres: asyncpg.Connection, empty_database: str
) -> None:
    await make_at(postgres, schema, 20)
    pool = connect_sync(empty_database)
    try:
        SyncWorkerUtils(pool, schema=schema.name).migrate()
    finally:
        pool.close()
    assert await is_valid(postgres, schema)


async def test_an_index_that_is_not_valid_is_told_of_and_not_used(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await migrate(database, schema)
    await postgres.execute(
        "update pg_index set indisvalid = false where indexrelid = to_regclass($1)",
        f"{schema.quoted}.{NAME}",
    )
    result = await migrate(database, schema)
    assert not result.has_queue_index
    assert f"drop index {schema.quoted}.{NAME}" in result.warnings[0]


async def test_a_role_that_may_not_build_it_works_without(
    database: Database,
    schema: Schema,
    postgres: asyncpg.Connection,
    role: str,
    act_as: ActAs,
) -> None:
    await make_at(postgres, schema, 20)
    await postgres.execute(f'alter role "{role}" bypassrls')
    await postgres.execute(f'grant usage on schema {schema.quoted} to "{role}"')
    await postgres.execute(
        f'grant select, insert, update, delete on all tables in schema {schema.quoted} to "{role}"'
    )
    result = await migrate(await act_as(role), schema)
    assert not result.has_queue_index
    assert "could not be built" in result.warnings[0]


@pytest.mark.parametrize("revision", [0, 18])
async def test_its_absence_is_mended_by_the_next_migration(
    revision: int, database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    if revision:
        await make_at(postgres, schema, revision)
    await migrate(database, schema)
    await postgres.execute(f"drop index {schema.quoted}.{NAME}")
    assert (await migrate(database, schema)).has_queue_index
