"""Statements of the hot path, and a connection to plan and run them on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from graphile_worker.database.statement import Statement
from graphile_worker.worker.steady_connection import HOT_PATH_SETTINGS

T = TypeVar("T")


async def run(connection: asyncpg.Connection, statement: Statement[T]) -> T:
    return statement.decode(await connection.fetch(statement.text, *statement.args))


@asynccontextmanager
async def as_workers_have_it(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url, server_settings=dict(HOT_PATH_SETTINGS))
    try:
        yield connection
    finally:
        await connection.close()
