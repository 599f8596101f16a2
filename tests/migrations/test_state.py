from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
from support.older_schemas import forget_breaking, make_at, make_ledger, make_node_at, record
from support.watched_database import CountingDatabase

from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.errors import IncompatibleSchemaError, SchemaMissingError
from graphile_worker.migrations.runner import migrate
from graphile_worker.migrations.state import check_schema, read_state, refuse_server


@pytest.mark.parametrize("name", ["graphile_worker", 'with"quote', "Case-Schema", "%I", "x' y"])
async def test_a_settled_schema_passes_with_one_query(name: str, database: Database) -> None:
    await migrate(database, Schema(name))
    counting = CountingDatabase(database)
    async with counting.connection() as connection:
        await check_schema(connection, Schema(name))
    assert counting.sent == ["schema_state"]


async def test_a_missing_schema_is_missing_even_in_a_transaction(
    database: Database, schema: Schema
) -> None:
    async with database.connection() as connection, connection.transaction():
        with pytest.raises(SchemaMissingError, match="--schema graphile_worker migrate") as caught:
            await check_schema(connection, schema)
        assert caught.value.schema == "graphile_worker"
        # The transaction has not failed.
        assert (await read_state(connection, schema)).schema_exists is False


async def test_what_to_type_can_be_typed_whatever_the_name(database: Database) -> None:
    with pytest.raises(SchemaMissingError) as caught:
        await check_schema(database, Schema("billing (old)"))
    assert str(caught.value).endswith("graphile-worker --schema 'billing (old)' migrate")


async def test_an_empty_schema_and_an_empty_ledger_are_missing(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await postgres.execute(f"create schema {schema.quoted}")
    with pytest.raises(SchemaMissingError):
        await check_schema(database, schema)
    await make_ledger(postgres, schema)
    with pytest.raises(SchemaMissingError):
        await check_schema(database, schema)


async def test_a_ledger_whose_tables_are_gone_is_missing(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await migrate(database, schema)
    await postgres.execute(f"drop table {schema.quoted}._private_jobs cascade")
    with pytest.raises(SchemaMissingError):
        await check_schema(database, schema)


@pytest.mark.parametrize("revision", [1, 15, 17])
async def test_an_old_schema_is_refused(
    revision: int, database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, revision)
    if revision == 1:
        await forget_breaking(postgres, schema)
    with pytest.raises(IncompatibleSchemaError, match=f"at revision {revision}.* migrate"):
        await check_schema(database, schema)


@pytest.mark.parametrize("revision", [18, 19, 20])
async def test_nodes_schemas_are_fine_as_they_are(
    revision: int, database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_node_at(postgres, schema, revision)
    await check_schema(database, schema)


async def test_a_newer_schema_is_warned_of_and_a_breaking_one_refused(
    database: Database,
    schema: Schema,
    postgres: asyncpg.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await migrate(database, schema)
    await record(postgres, schema, 21, breaking=False)
    with caplog.at_level(logging.WARNING):
        await check_schema(database, schema)
    warnings = [line for line in caplog.records if line.levelno == logging.WARNING]
    assert len(warnings) == 1
    await record(postgres, schema, 22, breaking=True)
    with pytest.raises(IncompatibleSchemaError, match="breaking revision 22"):
        await check_schema(database, schema)


async def test_an_old_server_is_refused_by_its_version(database: Database, schema: Schema) -> None:
    state = await read_state(database, schema)
    refuse_server(replace(state, server_version=120000))
    with pytest.raises(IncompatibleSchemaError, match=r"PostgreSQL 12 .*version 11 .*110022"):
        refuse_server(replace(state, server_version=110022))


@pytest.fixture
async def latin(empty_database: str, postgres: asyncpg.Connection) -> AsyncIterator[Database]:
    name = f"latin_{uuid4().hex}"
    await postgres.execute(
        f"create database {name} encoding 'LATIN1' locale 'C' template template0"
    )
    own = await postgres.fetchval("select current_database()")
    database = await connect(empty_database.replace(own, name))
    yield database
    await database.aclose()
    await postgres.execute(f"drop database {name} with (force)")


async def test_a_database_in_another_encoding_is_refused(latin: Database, schema: Schema) -> None:
    for attempt in (migrate, check_schema):
        with pytest.raises(IncompatibleSchemaError, match=r"LATIN1.*createdb -E UTF8"):
            await attempt(latin, schema)
