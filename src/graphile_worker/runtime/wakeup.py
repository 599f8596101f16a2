"""A reason to look again."""

from __future__ import annotations

import asyncio


class Wakeup:
    """One flag for every reason to look for work: a thousand calls in a burst cost one look.

    `wait` takes the flag. A call that comes while its reader is busy is kept for its next `wait`,
    so nothing that happened during a look is missed. Not thread-safe.
    """

    def __init__(self) -> None:
        self._called = asyncio.Event()

    def __call__(self) -> None:
        """Look again."""
        self._called.set()

    async def wait(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 (a poll)
        """Wait for a call; False when `timeout` seconds passed without one.

        Cancel safety: a cancelled wait takes nothing.
        """
        if not self._called.is_set():
            try:
                async with asyncio.timeout(timeout):
                    await self._called.wait()
            except TimeoutError:
                return False
        self._called.clear()
        return True
