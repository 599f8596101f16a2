"""Who blocks the event loop."""

from __future__ import annotations

import asyncio
import logging
import selectors
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

_logger = logging.getLogger(__name__)

DescribeTask: TypeAlias = Callable[["asyncio.Task[Any]"], str | None]

_SHOWN_FRAMES: Final = 6
_LOOKED_AT_FRAMES: Final = 50
_ASYNCIO: Final = Path(asyncio.__file__).parent
_LOOP_FUNCTIONS: Final = frozenset(
    {"_run", "_run_once", "run_forever", "run_until_complete", "run"}
)


class LoopMonitor:
    """Warns when a handler blocks the event loop, and says which one and where.

    The loop sets a mark every `interval`; a thread looks whether the mark is fresh. When it is
    overdue by more than `threshold`, the thread looks at what the loop is doing: the task it
    runs and its innermost lines of code. One warning for each time the loop is blocked, while it
    is blocked, for it may never come back. Jobs pay nothing for it.

    Args:
        threshold: seconds of silence that are worth a warning.
        interval: seconds between two marks.
        describe: what a task of the loop is doing, like `job 42 send_email`; called in the
            monitor's thread. None: the name of the task.
    """

    def __init__(
        self,
        *,
        threshold: float = 1.0,
        interval: float = 0.1,
        describe: DescribeTask | None = None,
    ) -> None:
        self._threshold = threshold
        self._interval = interval
        self._describe: DescribeTask = describe or _name
        self._measured = 0.0
        self._mark = 0.0
        self._reported: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = threading.Event()

    @property
    def lag(self) -> float:
        """By how many seconds the loop is late now, or was when it was last looked at."""
        if self._timer is None:
            return self._measured
        return max(self._measured, self._overdue(time.monotonic()))

    async def __aenter__(self) -> Self:
        self._closed = threading.Event()
        self._mark = time.monotonic()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._interval, self._tick, loop)
        threading.Thread(
            target=self._watch,
            args=(loop, threading.get_ident(), self._closed),
            name="graphile-worker-loop-monitor",
            daemon=True,
        ).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        self._measured = self._overdue(now)
        if self._reported == self._mark:
            _logger.warning("The event loop runs again after %.1f s", now - self._mark)
        self._mark = now
        self._timer = loop.call_later(self._interval, self._tick, loop)

    def _overdue(self, now: float) -> float:
        return max(0.0, now - self._mark - self._interval)

    def _watch(
        self, loop: asyncio.AbstractEventLoop, thread_id: int, closed: threading.Event
    ) -> None:
        """The life of the monitor's thread."""
        pause = self._threshold / 4
        before, cpu_before = time.monotonic(), time.process_time()
        while not closed.wait(pause):
            now, cpu = time.monotonic(), time.process_time()
            mark = self._mark
            overdue = self._overdue(now)
            overslept = now - before - pause
            # A process that was stopped (SIGSTOP, a frozen container) used no CPU and blames no
            # one. One whose handler held the interpreter lock, so that this thread could not run
            # either, used what a crowded machine let it have.
            stopped = overslept > self._threshold / 2 and cpu - cpu_before < overslept / 20
            if overdue > self._threshold and not stopped and self._reported != mark:
                self._look(loop, thread_id, mark, overdue)
            before, cpu_before = now, cpu

    def _look(
        self, loop: asyncio.AbstractEventLoop, thread_id: int, mark: float, overdue: float
    ) -> None:
        # Documented for the running loop, and a look-up that is safe from any thread.
        task = asyncio.current_task(loop)
        frames = _frames_on_loop(thread_id)
        if self._mark == mark:  # else it went on meanwhile, and this is not what held it up
            self._reported = mark
            self._warn(task, frames, overdue)

    def _warn(
        self,
        task: asyncio.Task[Any] | None,
        frames: list[traceback.FrameSummary],
        overdue: float,
    ) -> None:
        if task is None and all(frame.filename == selectors.__file__ for frame in frames):
            _logger.warning(
                "The event loop is late by %.1f s, and nothing that runs on it is to blame: the "
                "machine has too little CPU time for this process, or a handler in a thread holds "
                "the interpreter lock",
                overdue,
            )
            return
        _logger.warning(
            "The event loop is blocked for %.1f s by %s; while it is, no other job of this worker "
            "goes on. Await instead of waiting, or make it a plain function: that runs in a "
            "thread. It is at:\n%s",
            overdue,
            self._culprit(task),
            "\n".join(f"  {at.filename}:{at.lineno} in {at.name}: {at.line}" for at in frames),
        )

    def _culprit(self, task: asyncio.Task[Any] | None) -> str:
        if task is None:
            return "a callback"
        return self._describe(task) or task.get_name()


def _frames_on_loop(thread_id: int) -> list[traceback.FrameSummary]:
    """The innermost calls of the loop's thread, down to where the loop called them."""
    frame = sys._current_frames().get(thread_id)  # noqa: SLF001 (documented; its name warns)
    if frame is None:
        return []
    calls = traceback.StackSummary.extract(
        traceback.walk_stack(frame), limit=_LOOKED_AT_FRAMES, lookup_lines=False
    )
    own = next((n for n, at in enumerate(calls) if _runs_the_loop(at)), len(calls))
    return calls[:own][:_SHOWN_FRAMES]


def _runs_the_loop(call: traceback.FrameSummary) -> bool:
    return Path(call.filename).parent == _ASYNCIO and call.name in _LOOP_FUNCTIONS


def _name(task: asyncio.Task[Any]) -> str:
    return task.get_name()
