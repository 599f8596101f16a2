from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from support.watched_database import ActAs, OneConnection

from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect


@pytest.fixture
def schema() -> Schema:
    return Schema("graphile_worker")


@pytest.fixture
async def database(empty_database: str) -> AsyncIterator[Database]:
    database = await connect(empty_database)
    yield database
    await database.aclose()


@pytest.fixture
async def postgres(empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A plain connection, as other programs have it."""
    connection = await asyncpg.connect(empty_database)
    yield connection
    await connection.close()


@pytest.fixture
async def role(postgres: asyncpg.Connection) -> AsyncIterator[str]:
    """A role that may do nothing."""
    name = f"Nobody {uuid4().hex}"
    await postgres.execute(f'create role "{name}"')
    yield name
    await postgres.execute(f'drop owned by "{name}" cascade; drop role "{name}"')


@pytest.fixture
async def act_as(database: Database) -> AsyncIterator[ActAs]:
    """The database as a role sees it."""
    opened = []

    async def act(role: str) -> OneConnection:
        connection = await database.dedicated("test", settings={"role": role})
        opened.append(connection)
        return OneConnection(connection)

    yield act
    for connection in opened:
        await connection.aclose()
