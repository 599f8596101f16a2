"""What has to be done to its end, also when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T], *, on_cancel: Callable[[], None] | None = None) -> T:
    """Await something; a cancellation comes through after its end.

    It bounds its time itself: to be cancelled again, as anyio does at each turn of the loop, cuts
    nothing short.

    Args:
        work: what has to be done.
        on_cancel: called at the first cancellation, to bring the end on.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if on_cancel is not None:
            on_cancel()
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise
