"""The end of a command that goes on until somebody has seen enough."""

from __future__ import annotations

import asyncio


class Stop:
    """Cancels the task that made it, at a signal.

    Attributes:
        asked: whether there was one.
        welcome: whether that is the proper end of the command, which is its own to say.
    """

    def __init__(self) -> None:
        self.asked = False
        self.welcome = False
        self._task = asyncio.current_task()

    def __call__(self) -> None:
        """Stop."""
        self.asked = True
        if self._task is not None:
            self._task.cancel()
