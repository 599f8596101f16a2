"""Awaiting something where there is no event loop to await it in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_in_own_loop(call: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, in a loop and a thread of its own.

    The caller's thread may have a loop that runs; it is blocked meanwhile. What the coroutine
    raises is raised here.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="graphile-worker") as pool:
        return pool.submit(asyncio.run, call).result()
