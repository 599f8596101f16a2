"""A connection to plan and run statements of the hot path on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from graphile_worker.worker.steady_connection import HOT_PATH_SETTINGS


@asynccontextmanager
async def as_workers_have_it(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url, server_settings=dict(HOT_PATH_SETTINGS))
    try:
        yield connection
    finally:
        await connection.close()
