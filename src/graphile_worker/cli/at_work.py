"""A worker at work while a command looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from graphile_worker.worker.worker import Worker


@asynccontextmanager
async def at_work(worker: Worker) -> AsyncGenerator[None]:
    """The worker runs for the length of a block; its failure is ours."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run(), name="worker")
        try:
            yield
        finally:
            worker.request_shutdown()
            await asyncio.wait([running])
