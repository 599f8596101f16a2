"""A place for a process: there is always one in it, if that can be had."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from graphile_worker.supervisor.messages import Order
from graphile_worker.supervisor.policy import HOPELESS, Pauses
from graphile_worker.supervisor.process import SupervisedProcess
from graphile_worker.worker.process_handle import how_it_ended

logger = logging.getLogger(__name__)


class Place:
    """Starts a process, and another one whenever it ended, is worn or is to be reloaded.

    Args:
        number: 1 for the first.
        start: starts a process for this place.
        stopping: set when no process is to be started any more.
        retire: takes over a process that was replaced, and lets it end.
        on_failed_start: told after a process ended before it was ready.
        waits_for_changes: whether a process that cannot be started is tried again only after
            `reload`, since only a change can mend it.
    """

    def __init__(
        self,
        number: int,
        *,
        start: Callable[[int], SupervisedProcess],
        stopping: asyncio.Event,
        retire: Callable[[SupervisedProcess], None],
        on_failed_start: Callable[[SupervisedProcess], None],
        waits_for_changes: bool = False,
    ) -> None:
        self.number = number
        self.process: SupervisedProcess | None = None
        """The one that counts; while it is replaced its successor is not it yet."""
        self.failed_starts = 0
        """In a row."""
        self._start = start
        self._stopping = stopping
        self._retire = retire
        self._on_failed_start = on_failed_start
        self._waits_for_changes = waits_for_changes
        self._pauses = Pauses()
        self._reload = asyncio.Event()

    @property
    def is_hopeless(self) -> bool:
        """Whether one process after the other could not even get ready."""
        is_ready = self.process is not None and self.process.ready.is_set()
        return self.failed_starts >= HOPELESS and not is_ready

    def reload(self) -> None:
        """Hand back what runs, and start again."""
        self._reload.set()

    async def run(self) -> None:
        """Until `stopping` is set; the process that is there then is left to the supervisor."""
        while not self._stopping.is_set():
            process = self.process
            if process is None:
                await self._fill()
                continue
            await self._any(process.exited, process.worn.wait(), self._reload.wait())
            if self._stopping.is_set():
                return
            if process.exited.done():
                await self._empty(process)
            elif self._reload.is_set():
                await process.end(Order.ABORT)
                self.process = None
            else:
                await self._replace(process)

    async def _fill(self) -> None:
        self._reload.clear()  # it starts with the newest there is
        try:
            self.process = self._start(self.number)
        except OSError as error:
            logger.error("process %d cannot be started: %s", self.number, error)
            await self._pause(self._pauses.after(0))

    async def _empty(self, process: SupervisedProcess) -> None:
        """After the end of a process that nobody had asked for."""
        self.process = None
        how = how_it_ended(process.exited.result())
        if process.ready.is_set():
            self.failed_starts = 0
        else:
            self.failed_starts += 1
            self._on_failed_start(process)
        if self._stopping.is_set():
            return
        if self._waits_for_changes and not process.ready.is_set():
            logger.warning("process %d %s; waiting for a change", self.number, how)
            await self._any(self._reload.wait())
            return
        pause = self._pauses.after(process.lived)
        told = (self.number, process.pid, how, pause)
        logger.warning("process %d (pid %d) %s; starting another in %.1f s", *told)
        await self._pause(pause)

    async def _replace(self, old: SupervisedProcess) -> None:
        """The successor is ready before the old one takes no more jobs."""
        try:
            successor = self._start(self.number)
        except OSError as error:
            logger.error("process %d cannot be replaced: %s", self.number, error)
            await self._pause(self._pauses.after(0))
            return
        await self._any(successor.ready.wait(), successor.exited, old.exited)
        if successor.exited.done() and not old.exited.done():
            how, pause = how_it_ended(successor.exited.result()), self._pauses.after(0)
            logger.warning(
                "process %d: its successor %s; trying again in %.1f s", self.number, how, pause
            )
            await self._pause(pause)
            return
        self.process = successor
        if old.exited.done():
            how = how_it_ended(old.exited.result())
            logger.warning("process %d (pid %d) %s while replaced", self.number, old.pid, how)
        else:
            self._retire(old)

    async def _pause(self, seconds: float) -> None:
        await self._any(timeout=seconds)

    async def _any(self, *waits: Awaitable[Any], timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Until one of them holds, the supervisor stops, or the time is over."""
        waited = [*waits, self._stopping.wait()]
        futures = [asyncio.ensure_future(wait) for wait in waited]
        try:
            await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future, wait in zip(futures, waited, strict=True):
                if future is not wait:  # a future that was given is somebody else's
                    future.cancel()
