"""The stream of server-sent events that tells a page what to fetch again."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from graphile_worker.admin.live.announcements import Announcements

MOST = 64
"""Streams of one process; who comes later polls."""
LOOK = 0.25
"""Seconds between two looks whether the server ends, and whether an operation moves."""
PULSE = 2.0
EARLIEST = 1.0
"""Seconds from news to news that are told early because something was announced."""
KEEPALIVE = 15.0
"""Seconds of silence after which a comment is sent, so that proxies keep the connection."""


@dataclass(frozen=True, slots=True)
class News:
    """What has changed since a viewer was told last.

    Attributes:
        kinds: kinds of regions (`data-live` in the pages) that show something else now.
        changes: jobs that were added, changed or deleted, for the chip of a list that rests.
        at: the time of the reading, as the page shows it; None while there is none.
        lost: why the database cannot be read; None when it can.
        note: what is missing though it can; None when nothing is.
    """

    kinds: tuple[str, ...]
    changes: int
    at: str | None
    lost: str | None = None
    note: str | None = None


class Streams:
    """All streams of this process, and their end.

    Streams end when `stop` is called or when the uvicorn they run in was told to end. It would
    otherwise wait for them for ever: it waits for responses, and tells nobody.
    """

    def __init__(self) -> None:
        self.count = 0
        self._stopped = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether there is no room for one more."""
        return self.count >= MOST

    def stop(self) -> None:
        """End every stream within a quarter of a second; for good."""
        self._stopped.set()

    async def follow(
        self,
        news: Callable[[], Awaitable[News]],
        moving: Callable[[], int],
        allowed: Callable[[], Awaitable[bool]],
        announcements: Announcements,
    ) -> AsyncIterator[bytes]:
        """One viewer's stream.

        Args:
            news: asked every two seconds, and when something was announced, a second after the last
                news at the earliest.
            moving: a number that changes whenever an operation gets on; asked often, so cheap.
            allowed: whether the viewer may still look; asked with every news.
            announcements: heard while this goes on.
        """
        self.count += 1
        try:
            with announcements.watched():
                yield b"retry: 3000\n\n"
                async for part in self._parts(news, moving, allowed, lambda: announcements.turn):
                    yield part
        finally:
            self.count -= 1

    async def _parts(
        self,
        news: Callable[[], Awaitable[News]],
        moving: Callable[[], int],
        allowed: Callable[[], Awaitable[bool]],
        heard: Callable[[], int],
    ) -> AsyncIterator[bytes]:
        told = due = early = 0.0
        moved, turn = moving(), heard()
        while not self._ending():
            now = time.monotonic()
            if now >= due or (heard() != turn and now >= early):
                if not await allowed():
                    yield event("denied", {})
                    return
                due, early, told, turn = now + PULSE, now + EARLIEST, now, heard()
                latest = await news()
                yield event(
                    "pulse",
                    {
                        "kinds": latest.kinds,
                        "changes": latest.changes,
                        "at": latest.at,
                        "lost": latest.lost,
                        "note": latest.note,
                    },
                )
            elif moving() != moved:
                moved, told = moving(), now
                yield event("pulse", {"kinds": ["operation"], "changes": 0, "at": None})
            elif now - told > KEEPALIVE:
                told = now
                yield b": still here\n\n"
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK):
                await self._stopped.wait()
        except TimeoutError:
            return

    def _ending(self) -> bool:
        return self._stopped.is_set() or server_is_ending()


def server_is_ending() -> bool:
    """Whether the uvicorn around us got its signal; read from its handler, which is not touched."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))


def event(name: str, data: dict[str, Any]) -> bytes:
    """One event, as EventSource reads it."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
