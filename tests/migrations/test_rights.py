from __future__ import annotations

import asyncpg
import pytest
from support.older_schemas import make_at, make_ledger
from support.watched_database import ActAs

from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError, MigrationError, SchemaMissingError
from graphile_worker.migrations.runner import migrate
from graphile_worker.migrations.state import check_schema


@pytest.fixture
async def name(postgres: asyncpg.Connection) -> str:
    return await postgres.fetchval("select current_database()")


async def test_the_grant_to_make_a_schema_is_named(
    act_as: ActAs, role: str, schema: Schema, name: str, postgres: asyncpg.Connection
) -> None:
    database = await act_as(role)
    grant = f'grant create on database "{name}" to "{role}"'
    with pytest.raises(MigrationError, match=grant) as caught:
        await migrate(database, schema)
    assert caught.value.sqlstate == "42501"
    await postgres.execute(grant)
    assert (await migrate(database, schema)).after == 20


async def test_a_schema_made_by_an_administrator_is_filled(
    act_as: ActAs, role: str, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await postgres.execute(f"create schema {schema.quoted}")
    database = await act_as(role)
    grant = f'grant usage, create on schema "graphile_worker" to "{role}"'
    with pytest.raises(MigrationError, match=grant):
        await migrate(database, schema)
    await postgres.execute(grant)
    assert (await migrate(database, schema)).after == 20


async def test_a_ledger_made_by_an_administrator_is_used(
    act_as: ActAs, role: str, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_ledger(postgres, schema)
    await postgres.execute(
        f'grant usage on schema {schema.quoted} to "{role}"; '
        f'grant select on {schema.quoted}.migrations to "{role}"'
    )
    database = await act_as(role)
    with pytest.raises(MigrationError, match="grant usage, create on schema") as caught:
        await migrate(database, schema)
    await postgres.execute(str(caught.value).split("as an administrator: ")[1])
    assert (await migrate(database, schema)).after == 20


async def test_upgrading_needs_the_rights_of_the_owner(
    act_as: ActAs, role: str, schema: Schema, postgres: asyncpg.Connection
) -> None:
    owner = await postgres.fetchval("select current_user")
    await make_at(postgres, schema, 15)
    await postgres.execute(
        f'grant usage, create on schema {schema.quoted} to "{role}"; '
        f'grant all on all tables in schema {schema.quoted} to "{role}"'
    )
    database = await act_as(role)
    with pytest.raises(MigrationError, match=f'grant "{owner}" to "{role}"') as caught:
        await migrate(database, schema)
    await postgres.execute(str(caught.value).split("as an administrator: ")[1])
    assert (await migrate(database, schema)).applied == (16, 17, 18, 19, 20)


async def test_a_role_that_may_not_read_the_schema_is_told_so(
    act_as: ActAs, role: str, schema: Schema, database: Database
) -> None:
    await migrate(database, schema)
    for attempt in (migrate, check_schema):
        with pytest.raises(DatabaseError, match="may not read the schema") as caught:
            await attempt(await act_as(role), schema)
        assert caught.value.sqlstate == "42501"


async def test_a_role_that_row_security_makes_blind_is_refused(
    act_as: ActAs, role: str, schema: Schema, database: Database, postgres: asyncpg.Connection
) -> None:
    await migrate(database, schema)
    await postgres.execute(
        f'grant usage on schema {schema.quoted} to "{role}"; '
        f'grant all on all tables in schema {schema.quoted} to "{role}"'
    )
    blind = await act_as(role)
    for attempt in (migrate, check_schema):
        with pytest.raises(DatabaseError, match="row level security hides all jobs") as caught:
            await attempt(blind, schema)
        assert caught.value.sqlstate == "42501"
        assert f'alter role "{role}" bypassrls' in str(caught.value)
    await postgres.execute(f'alter role "{role}" bypassrls')
    await check_schema(blind, schema)


async def test_a_member_of_the_owning_role_is_not_blind(
    act_as: ActAs, role: str, schema: Schema, database: Database, postgres: asyncpg.Connection
) -> None:
    await postgres.execute(f'create role "{role} owner"')
    await migrate(database, schema)
    try:
        for table in ("migrations", "_private_jobs", "_private_tasks", "_private_job_queues"):
            await postgres.execute(f'alter table {schema.quoted}.{table} owner to "{role} owner"')
        await postgres.execute(
            f'alter table {schema.quoted}._private_known_crontabs owner to "{role} owner"; '
            f'grant usage on schema {schema.quoted} to "{role} owner"; '
            f'grant "{role} owner" to "{role}"'
        )
        await check_schema(await act_as(role), schema)
        assert (await migrate(await act_as(role), schema)).applied == ()
    finally:
        await postgres.execute(f'drop owned by "{role} owner" cascade; drop role "{role} owner"')


async def test_nothing_is_learnt_of_a_schema_that_is_not_there(
    act_as: ActAs, role: str, schema: Schema
) -> None:
    with pytest.raises(SchemaMissingError):
        await check_schema(await act_as(role), schema)
