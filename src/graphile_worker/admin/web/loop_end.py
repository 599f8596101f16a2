"""Closing when the event loop ends, where nobody tells us that the program does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable


class LoopEnd:
    """Calls back when the event loop it was watched in is about to be closed.

    `asyncio.run`, and every server that stands on it, closes the asynchronous generators that are
    still open before it closes the loop: so this keeps one open.
    """

    def __init__(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._callback = callback
        self._generator: AsyncGenerator[None] | None = None

    async def watch(self) -> None:
        """Watch the running loop; watching twice is watching once."""
        if self._generator is None:
            self._generator = self._wait()
            await anext(self._generator)

    async def now(self) -> None:
        """Watch no more, and call back now, whether anything was watched or not."""
        generator, self._generator = self._generator, None
        if generator is None:
            await self._callback()
        else:
            await generator.aclose()

    async def _wait(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self._callback()
