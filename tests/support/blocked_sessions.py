"""Seeing that another session is stuck behind ours."""

from __future__ import annotations

import asyncio

import asyncpg

_WAITING = """
    select exists (
      select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))
    )
"""


async def until_somebody_waits(connection: asyncpg.Connection) -> None:
    """Wait until a session waits for a lock that this one holds."""
    async with asyncio.timeout(15):
        while not await connection.fetchval(_WAITING):
            await asyncio.sleep(0.01)
