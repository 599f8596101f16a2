"""How the Python programs tell what they do. Imports nothing that an environment may lack."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

now = time.monotonic_ns


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Count:
    """Jobs that ran; tells of the first and of the last."""

    def __init__(self, total: int) -> None:
        self.count = 0
        self.total = total

    def ran(self, jobs: int = 1) -> None:
        if not self.count:
            say("first", now())
        self.count += jobs
        if self.count == self.total:
            say("last", now())

    async def tell_every(self, seconds: float) -> None:
        while True:
            say("count", now(), self.count)
            await asyncio.sleep(seconds)


async def rate(kind: str, jobs: int, call: Callable[[], Awaitable[object]]) -> None:
    """Measure one way of adding jobs."""
    started = time.perf_counter()
    await call()
    say("rate", kind, jobs / (time.perf_counter() - started))


def asked() -> tuple[str, str, dict[str, Any]]:
    """Role, URL and options of this process."""
    role, url, options = sys.argv[1:]
    return role, url, json.loads(options)
