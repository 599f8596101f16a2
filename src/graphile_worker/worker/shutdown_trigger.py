"""The host's own way to start the shutdown."""

from __future__ import annotations

import asyncio

from graphile_worker.worker.settings import ShutdownTrigger


async def failure_of(trigger: ShutdownTrigger) -> BaseException | None:
    """Wait until it is set or has ended, and return what it failed with, if it did.

    Cancel safety: a future or task of the host is not cancelled with us. Others may wait for it.
    """
    awaited = trigger.wait() if isinstance(trigger, asyncio.Event) else trigger
    future = asyncio.ensure_future(awaited)
    try:
        await asyncio.wait([future])
    finally:
        if future is not awaited:
            future.cancel()
            await asyncio.wait([future])
    return None if future.cancelled() else future.exception()
