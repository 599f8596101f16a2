"""The one shutdown signal of a worker."""

from __future__ import annotations

import asyncio
import threading
from enum import IntEnum


class ShutdownState(IntEnum):
    """running → draining → aborting, never back."""

    RUNNING = 0
    """Jobs are claimed."""
    DRAINING = 1
    """No job is claimed any more; those running have the grace period to end."""
    ABORTING = 2
    """Handlers that still run are cancelled and their jobs handed back."""


class ShutdownSignal:
    """Where a worker stands on its way out, and events for those who wait for it.

    Not thread-safe, but for reading `draining_in_threads`.
    """

    def __init__(self) -> None:
        self.state = ShutdownState.RUNNING
        self.is_draining = False
        """For who asks for each job: an event has to be called."""
        self.draining = asyncio.Event()
        self.aborting = asyncio.Event()
        self.draining_in_threads = threading.Event()

    def drain(self) -> None:
        """Stop claiming; idempotent."""
        if self.state < ShutdownState.DRAINING:
            self.state = ShutdownState.DRAINING
            self.is_draining = True
            self.draining.set()
            self.draining_in_threads.set()

    def abort(self) -> None:
        """Stop waiting for handlers; idempotent."""
        self.drain()
        if self.state < ShutdownState.ABORTING:
            self.state = ShutdownState.ABORTING
            self.aborting.set()
