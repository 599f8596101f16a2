"""How a command reaches the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from graphile_worker.cli.settings import Settings
from graphile_worker.client.open_database import open_database
from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.migrations.state import check_schema

T = TypeVar("T")


def with_utils(settings: Settings, action: Callable[[WorkerUtils], Awaitable[T]]) -> T:
    """Do something with the jobs of the database that the settings name.

    Raises:
        SchemaMissingError: it was not migrated; the message says how.
        GraphileWorkerError: no URL, no connection, no rights, or what the action raises.
    """

    async def connected() -> T:
        opening = WorkerUtils.connect(
            settings.database_url or "",
            schema=settings.schema,
            max_pg_conn=settings.max_connections,
        )
        async with opening as utils:
            return await action(utils)

    return asyncio.run(connected())


def ask_database(settings: Settings, statement: Callable[[Schema], Statement[T]]) -> T:
    """The answer to a statement for which `WorkerUtils` has no call; the same is raised."""

    async def asked() -> T:
        database = await open_database(settings.database_url, max_connections=1)
        try:
            schema = Schema(settings.schema)
            await check_schema(database, schema)
            return await database.run(statement(schema))
        finally:
            await database.aclose()

    return asyncio.run(asked())


def with_unmigrated(settings: Settings, action: Callable[[WorkerUtils], Awaitable[T]]) -> T:
    """The same for what needs no schema: it is there to make one."""

    async def connected() -> T:
        database = await open_database(
            settings.database_url, max_connections=settings.max_connections
        )
        try:
            return await action(WorkerUtils(database, schema=settings.schema))
        finally:
            await database.aclose()

    return asyncio.run(connected())
