"""Threads for handlers that are plain functions."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, TypeVarTuple

from graphile_worker.worker.call_result import CallResult, Raised, Returned

_logger = logging.getLogger(__name__)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(slots=True, eq=False)
class _Run(Generic[T]):
    """One call, from the loop to a thread and back."""

    name: str
    work: Callable[[], T]
    context: contextvars.Context
    waiter: asyncio.Future[CallResult[T]]
    abandoned: bool = field(default=False, init=False)

    def perform(self) -> CallResult[T]:
        """Call the handler; whatever it raises is a result."""
        try:
            return Returned(self.context.run(self.work))
        except BaseException as error:  # noqa: BLE001 (a handler's SystemExit ends its job only)
            return Raised(error)

    def settle(self, result: CallResult[T]) -> None:
        """Hand the result to the caller, if there still is one."""
        if not self.waiter.done():
            self.waiter.set_result(result)

    def expire(self, seconds: float) -> None:
        """Tell the caller that its time is over."""
        if not self.waiter.done():
            self.waiter.set_exception(TimeoutError(f"{seconds:g} s"))


class ThreadPool:
    """At most `size` threads, started when needed and kept until `aclose`.

    A thread cannot be stopped from outside. One whose caller gave up, by timeout or by
    cancellation, is *abandoned*: it keeps its place in the pool until its function returns, so that
    a handler that hangs can never pile up more than `size` threads.

    The threads are daemons, unlike those of `concurrent.futures`: one that hangs does not keep the
    interpreter from ending. To be used on one event loop, but for reading `busy` and `abandoned`.

    Args:
        size: the greatest number of threads.
        on_abandon: called on the event loop whenever a thread is abandoned.
        on_return: called on the event loop whenever an abandoned thread has come back.
    """

    def __init__(
        self,
        size: int,
        *,
        on_abandon: Callable[[], None] | None = None,
        on_return: Callable[[], None] | None = None,
    ) -> None:
        self.size = size
        self._on_abandon = on_abandon
        self._on_return = on_return
        self._free = asyncio.Semaphore(size)
        self._running: set[_Run[Any]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._calls: queue.SimpleQueue[_Run[Any] | None] = queue.SimpleQueue()
        self._threads = 0
        self._numbers = itertools.count(1)
        self._abandoned = 0
        self._closed = False

    @property
    def busy(self) -> int:
        """How many threads run a function, the abandoned ones included."""
        return len(self._running)

    @property
    def abandoned(self) -> int:
        """How many threads run a function whose caller gave up."""
        return self._abandoned

    async def call(
        self,
        fn: Callable[[*Ts], T],
        *args: *Ts,
        name: str,
        timeout: float | None = None,  # noqa: ASYNC109 (counts only from when the function starts)
    ) -> CallResult[T]:
        """Run `fn(*args)` in a thread, in a copy of the caller's context variables.

        Args:
            fn: what to run.
            args: its arguments.
            name: what runs, for the thread's name and for warnings, like `job 42 send_email`.
            timeout: seconds from the start of the function; waiting for a free thread is not
                counted.

        Cancel safety: a call that is cancelled while it waits for a thread never starts; later, it
        abandons its thread.

        Raises:
            TimeoutError: it took too long; its text is the timeout, like `120 s`. A `TimeoutError`
                that the function itself raised is a `Raised`.
            RuntimeError: the pool is closed, or the system has no thread left for it.
        """
        await self._free.acquire()
        try:
            self._see_to_a_thread()
        except BaseException:
            self._free.release()
            raise
        loop = asyncio.get_running_loop()
        run = _Run(name, lambda: fn(*args), contextvars.copy_context(), loop.create_future())
        self._start(run)
        timer = None if timeout is None else loop.call_later(timeout, run.expire, timeout)
        try:
            return await run.waiter
        except (TimeoutError, asyncio.CancelledError) as reason:
            self._abandon(run, reason)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    async def wait_quiet(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 (a bound)
        """Wait until no thread runs a function; False when `timeout` seconds passed before."""
        try:
            async with asyncio.timeout(timeout):
                await self._quiet.wait()
        except TimeoutError:
            return False
        return True

    async def aclose(self, grace: float = 0.0) -> None:
        """End the threads; those that still run after `grace` seconds are left behind.

        They end with their functions, or with the process.
        """
        self._closed = True
        if not await self.wait_quiet(grace):
            names = ", ".join(sorted(run.name for run in self._running))
            _logger.warning("Left threads behind that still run: %s", names)
        for _ in range(self._threads):
            self._calls.put(None)
        self._threads = 0

    def _see_to_a_thread(self) -> None:
        """Have one that waits for a call, before anything counts on it."""
        if self._closed:
            raise RuntimeError("this thread pool is closed")
        if len(self._running) < self._threads:
            return
        loop = asyncio.get_running_loop()
        name = f"graphile-worker-thread-{next(self._numbers)}"
        try:
            threading.Thread(target=self._serve, args=(loop,), name=name, daemon=True).start()
        except RuntimeError as error:
            raise RuntimeError(
                f"{error}: {self._threads} of at most {self.size} threads of this worker run; "
                "raise the limit of the system or container (ulimit -u, pids), or lower "
                "thread_workers"
            ) from error
        self._threads += 1

    def _start(self, run: _Run[Any]) -> None:
        self._running.add(run)
        self._quiet.clear()
        self._calls.put(run)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """The life of a thread."""
        thread = threading.current_thread()
        own_name = thread.name
        while (run := self._calls.get()) is not None:
            thread.name = run.name
            result = run.perform()
            thread.name = own_name
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(self._finish, run, result)
            del run, result  # an idle thread must not keep a payload alive

    def _finish(self, run: _Run[Any], result: CallResult[Any]) -> None:
        self._running.discard(run)
        self._free.release()
        if not self._running:
            self._quiet.set()
        run.settle(result)
        if run.abandoned:
            self._take_back(run, result)

    def _abandon(self, run: _Run[Any], reason: BaseException) -> None:
        if run not in self._running:
            return  # it finished in the very moment in which the caller gave up
        run.abandoned = True
        self._abandoned += 1
        if self._on_abandon is not None:
            self._on_abandon()
        why = f"after {reason}" if isinstance(reason, TimeoutError) else "when it was cancelled"
        _logger.warning(
            "Abandoned the thread of %s %s: a thread cannot be stopped and keeps its place "
            "until its function returns; %d of %d threads are abandoned",
            run.name,
            why,
            self._abandoned,
            self.size,
        )

    def _take_back(self, run: _Run[Any], result: CallResult[Any]) -> None:
        self._abandoned -= 1
        how = f"raised {result.error!r}" if isinstance(result, Raised) else "returned"
        if self._on_return is not None:
            self._on_return()
        _logger.warning("The abandoned thread of %s came back: its function %s", run.name, how)
