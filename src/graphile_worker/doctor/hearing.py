"""Whether a NOTIFY that is sent here reaches a LISTEN there."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Protocol

from graphile_worker.database.executor import Connection, Executor
from graphile_worker.database.statement import Statement, nothing


class Examined(Executor, Protocol):
    """What is asked: a `Database`, or what runs statements of one in a way of its own."""

    async def dedicated(self, name: str) -> Connection:
        """Open a connection for as long as the caller wants it; see `Database`."""
        ...


async def seconds_to_hear(direct: Examined, database: Examined, *, within: float) -> float | None:
    """How many seconds a notification to ourselves took; None: it did not come.

    Sent where jobs are added, listened for where workers listen, on a channel that nobody else has.
    """
    channel = f"graphile_worker:doctor:{secrets.token_hex(8)}"
    arrived = asyncio.Event()
    listening = await direct.dedicated("doctor")
    try:
        await listening.listen(channel, lambda _payload: arrived.set())
        started = time.monotonic()
        await database.run(
            Statement("notify", "select pg_catalog.pg_notify($1::text, '')", (channel,), nothing)
        )
        async with asyncio.timeout(within):
            await arrived.wait()
        return time.monotonic() - started
    except TimeoutError:
        return None
    finally:
        await listening.aclose()
