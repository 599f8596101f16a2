"""How much, how long, how often."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Final

from starlette.types import Message, Receive

from graphile_worker.admin.web.problems import Problem, Refused

MOST_BODY: Final = 1_048_576
"""Bytes."""
BODY_SECONDS: Final = 30.0
"""How long a body may take to arrive."""
ANSWER_SECONDS: Final = 60.0
"""How long an answer may take that is no stream."""
WRITES_A_SECOND: Final = 20
_REMEMBERED: Final = 1_000


def limited(receive: Receive, most: int = MOST_BODY, seconds: float = BODY_SECONDS) -> Receive:
    """What is received, while it is neither too much nor too slow.

    Raises:
        Refused: with 413 or 408, from the returned function.
    """
    end = time.monotonic() + seconds
    size = 0
    is_whole = False

    async def receive_some() -> Message:
        nonlocal size, is_whole
        if is_whole:  # what comes now is the end of the connection, and may take any time
            return await receive()
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                message = await receive()
        except TimeoutError:
            raise Refused(
                Problem(408, "too-slow", "The body took too long", f"more than {seconds:g} s")
            ) from None
        size += len(message.get("body", b""))
        if size > most:
            raise Refused(
                Problem(413, "too-large", "The body is too large", f"at most {most:,} bytes")
            )
        is_whole = message["type"] == "http.request" and not message.get("more_body", False)
        return message

    return receive_some


class Rate:
    """So many changes a second for each; who is over it waits."""

    def __init__(self, a_second: int = WRITES_A_SECOND) -> None:
        self._a_second = a_second
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Count one.

        Raises:
            Refused: with 429.
        """
        now = time.monotonic()
        left, then = self._left.pop(name, (float(self._a_second), now))
        left = min(self._a_second, left + (now - then) * self._a_second)
        self._left[name] = (left - 1 if left >= 1 else left, now)
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        if left < 1:
            raise Refused(
                Problem(
                    429,
                    "too-often",
                    "Too many changes",
                    f"at most {self._a_second} a second; an action takes up to 1,000 jobs at once",
                    headers={"Retry-After": "1"},
                )
            )
