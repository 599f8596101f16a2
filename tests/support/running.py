"""A worker that runs while a test looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from graphile_worker import Worker, WorkerOptions


@asynccontextmanager
async def running(url: str | None, **options: Any) -> AsyncIterator[Worker]:
    """A worker in `run()`; drained at the end, its errors raised."""
    options = {"concurrency": 4, "listen_os_shutdown_signals": False, **options}
    async with WorkerOptions(database_url=url, **options).init() as worker:
        run = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.request_shutdown()
            async with asyncio.timeout(20):
                await run


async def until(holds: Any, *, seconds: float = 15) -> Any:
    """Ask until the answer is true, for what cannot be waited for as an event (rows, processes)."""
    async with asyncio.timeout(seconds):
        while not (answer := await holds()):
            await asyncio.sleep(0.005)
        return answer


@asynccontextmanager
async def sql(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to look behind the scenes."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
