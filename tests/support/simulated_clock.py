"""A clock that goes on as soon as everybody who lives by it is asleep."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

from graphile_worker.errors import ConnectionLostError


class SimulatedClock:
    """The clock of any number of schedulers; a day takes as long as what they do in it."""

    def __init__(self, start: datetime) -> None:
        self.time = start
        self.is_away = False
        """Whether the database cannot even be asked for the time."""
        self._awake = 0
        self._all_asleep = asyncio.Event()
        self._all_asleep.set()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    async def now(self) -> datetime:
        if self.is_away:
            raise ConnectionLostError("the simulated database is away")
        return self.time

    async def sleep_until(self, instant: datetime) -> None:
        await self.sleep((instant - self.time).total_seconds())

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        wakes_at = self.time + timedelta(seconds=seconds)
        heapq.heappush(self._sleepers, (wakes_at, next(self._numbers), woken))
        self._add(-1)
        try:
            await woken
        except asyncio.CancelledError:
            if woken.cancelled():
                self._add(1)
            raise

    def start(self, service: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that lives by this clock."""
        self._add(1)

        async def counted() -> None:
            try:
                await service
            finally:
                self._add(-1)

        return asyncio.create_task(counted())

    async def stop(self, task: asyncio.Task[None]) -> None:
        """Cancel what `start` has started."""
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def go_on_until(self, end: datetime) -> None:
        """Let time pass, from one wish to be woken to the next."""
        await self._all_asleep.wait()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.time = max(self.time, self._sleepers[0][0])
            self.wake()
            await self._all_asleep.wait()
        self.time = end

    def wake(self) -> None:
        """Wake those whose time has come."""
        while self._sleepers and self._sleepers[0][0] <= self.time:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                self._add(1)
                woken.set_result(None)

    async def jump(self, to: datetime) -> None:
        """Set the clock, as a suspend of the machine or an operator does; sleepers look once."""
        await self._all_asleep.wait()
        self.time = to
        for _, _, woken in self._sleepers:
            if not woken.done():
                self._add(1)
                woken.set_result(None)
        self._sleepers.clear()
        await self._all_asleep.wait()

    def _add(self, awake: int) -> None:
        self._awake += awake
        if self._awake:
            self._all_asleep.clear()
        else:
            self._all_asleep.set()
