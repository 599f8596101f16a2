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
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Final

logger = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_DOUBLE: Final = 1.0
"""Seconds within which signals count as one: `timeout`, terminals and supervisors send doubles."""


@contextmanager
def shutdown_on_signals(drain: Callable[[], None], abort: Callable[[], None]) -> Generator[None]:
    """The first signal drains, a later one aborts; off the main thread nothing is installed.

    Several of these may be open at once, and end in any order: a signal is told to all of them.
    Handlers that were there before are called too, and put back when the last one ends. A handler
    that the host gave to the event loop (`loop.add_signal_handler`) goes on working: it is fed by
    the loop. SIGHUP counts only where it would end the process: under `nohup`, or where the host
    reloads something when it comes, it is none of our business.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    counter = _Counter(drain, abort)
    loop = asyncio.get_running_loop()

    def hear(number: signal.Signals) -> None:
        loop.call_soon_threadsafe(counter.count, number)

    with ExitStack() as stack:
        for number in (*SIGNALS, *_hangup()):
            stack.enter_context(_heard_by(hear, number))
        yield


@contextmanager
def _heard_by(hear: Callable[[signal.Signals], None], number: signal.Signals) -> Generator[None]:
    installed = signal.getsignal(number)
    handler = installed if isinstance(installed, _Handler) else _Handler(number, installed)
    handler.listeners.append(hear)
    signal.signal(number, handler)
    try:
        yield
    finally:
        if handler.listeners == [hear] and handler.is_installed:
            handler.put_back()
        handler.listeners.remove(hear)


class _Handler:
    """Our handler of one signal, shared by all who listen to it, above the one of the host.

    Who comes later finds it where it is installed, so that only the last to leave puts back what
    was there before the first.
    """

    def __init__(self, number: signal.Signals, earlier: Any) -> None:
        self._number = number
        self._earlier = signal.SIG_DFL if earlier is None else earlier
        self.listeners: list[Callable[[signal.Signals], None]] = []

    @property
    def is_installed(self) -> bool:
        """False once somebody else has installed another, which is then left alone."""
        return signal.getsignal(self._number) is self

    def put_back(self) -> None:
        """Install what was there before."""
        signal.signal(self._number, self._earlier)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.listeners and self.is_installed:
            # Somebody found us here, and put us back after our end: the signal is the host's.
            self.put_back()
            signal.raise_signal(number)
            return
        for hear in tuple(self.listeners):
            hear(self._number)
        if callable(self._earlier) and not _is_a_default(self._earlier):
            self._earlier(number, frame)


class _Counter:
    """Tells another signal from the double of the one before."""

    def __init__(self, drain: Callable[[], None], abort: Callable[[], None]) -> None:
        self._drain = drain
        self._abort = abort
        self._last: float | None = None
        """When the last one came that was no double."""

    def count(self, number: signal.Signals) -> None:
        last, now = self._last, time.monotonic()
        if last is not None and now - last <= _DOUBLE:
            return
        self._last = now
        if last is None:
            logger.info("%s: finishing running jobs, taking no more", number.name)
            self._drain()
        else:
            logger.warning("%s again: interrupting running jobs", number.name)
            self._abort()


def _hangup() -> list[signal.Signals]:
    """What the end of the terminal sends, where it is still what ends the process."""
    if sys.platform == "win32":
        return []
    handler = signal.getsignal(signal.SIGHUP)
    ends_the_process = handler is signal.SIG_DFL or isinstance(handler, _Handler)
    return [signal.SIGHUP] if ends_the_process else []


def _is_a_default(handler: object) -> bool:
    """Python's own SIGINT handlers, which would raise KeyboardInterrupt or cancel the main task."""
    if handler is signal.default_int_handler:
        return True
    if isinstance(handler, functools.partial):
        function = getattr(handler.func, "__func__", None)
        return function is getattr(asyncio.Runner, "_on_sigint", None)
    return False
