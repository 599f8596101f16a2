"""What the end of a run cannot do without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast


@asynccontextmanager
async def alongside(
    service: Coroutine[Any, Any, None], name: str
) -> AsyncGenerator[asyncio.Task[None]]:
    """A service that works until the block is over, also while that ends because of an error.

    In one `TaskGroup` with others it would be cancelled as soon as one of them fails. If it fails
    itself, the block is cancelled. What failed is raised; in a group only where it is not alone.

    Returns:
        Its task, for who waits for it or ends it before.
    """
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(service, name=name)
            try:
                yield task
            finally:
                task.cancel()
    except BaseExceptionGroup as failed:
        raise _alone(failed) from None


def _alone(group: BaseExceptionGroup[BaseException]) -> BaseException:
    if len(group.exceptions) != 1:
        return group
    error: BaseException = group.exceptions[0]
    inner = cast("BaseExceptionGroup[BaseException]", error)
    return _alone(inner) if isinstance(error, BaseExceptionGroup) else error
