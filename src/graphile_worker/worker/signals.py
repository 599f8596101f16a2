"""SIGINT, SIGTERM and the end of the terminal, while a worker runs."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

logger = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_DOUBLE: Final = 1.0
"""Seconds within which signals count as one: `timeout`, terminals and supervisors send doubles."""


@contextmanager
def shutdown_on_signals(drain: Callable[[], None], abort: Callable[[], None]) -> Generator[None]:
    """The first signal drains, a later one aborts; off the main thread nothing is installed.

    Handlers that were there before are called too, and put back at the end. A handler that the
    host gave to the event loop (`loop.add_signal_handler`) goes on working: it is fed by the loop.
    SIGHUP counts only where it would end the process: under `nohup`, or where the host reloads
    something when it comes, it is none of our business.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    counter = _Counter(drain, abort)
    loop = asyncio.get_running_loop()
    previous: dict[signal.Signals, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(counter.count, signal.Signals(number))
        earlier = previous.get(signal.Signals(number))
        if callable(earlier) and not _is_a_default(earlier):
            earlier(number, frame)

    try:
        for number in (*SIGNALS, *_hangup()):
            previous[number] = signal.signal(number, handle)
        yield
    finally:
        for number, earlier in previous.items():
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


class _Counter:
    """Tells a second signal from the double of the first."""

    def __init__(self, drain: Callable[[], None], abort: Callable[[], None]) -> None:
        self._drain = drain
        self._abort = abort
        self._first: float | None = None

    def count(self, number: signal.Signals) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
            logger.info("%s: finishing running jobs, taking no more", number.name)
            self._drain()
        elif now - self._first > _DOUBLE:
            logger.warning("%s again: interrupting running jobs", number.name)
            self._abort()


def _hangup() -> list[signal.Signals]:
    """What the end of the terminal sends, where it is still what ends the process."""
    if sys.platform == "win32" or signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
        return []
    return [signal.SIGHUP]


def _is_a_default(handler: object) -> bool:
    """Python's own SIGINT handlers, which would raise KeyboardInterrupt or cancel the main task."""
    if handler is signal.default_int_handler:
        return True
    if isinstance(handler, functools.partial):
        function = getattr(handler.func, "__func__", None)
        return function is getattr(asyncio.Runner, "_on_sigint", None)
    return False
