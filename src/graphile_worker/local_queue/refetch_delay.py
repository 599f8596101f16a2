"""A pause before looking again."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

from graphile_worker.local_queue.events import SILENT, LocalQueueEvents
from graphile_worker.local_queue.options import RefetchDelayConfig
from graphile_worker.runtime.duration import duration


class RefetchDelay:
    """Holds the next claim back after one that brought next to nothing.

    Announcements count from the moment that the claim before was sent, since its answer may have
    missed what they announce.
    """

    def __init__(
        self, config: RefetchDelayConfig, *, most_announced: int, events: LocalQueueEvents = SILENT
    ) -> None:
        self._duration = duration("duration", config.duration).total_seconds()
        self._threshold = config.threshold
        self._most_announced = most_announced
        self._events = events
        self._announced = 0
        self._abort_at = 0
        self._timer: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()
        self._over.set()

    async def wait(self) -> None:
        """Wait until the next claim may be sent; at once while there is no delay."""
        await self._over.wait()

    def claim_sent(self) -> None:
        """What was announced until now, this claim sees."""
        self._announced = 0

    def claim_answered(self, jobs: int) -> None:
        """A claim brought fewer jobs than it asked for."""
        if jobs > self._threshold:
            return
        seconds = self._duration * random.uniform(0.5, 1.5)  # noqa: S311 (jitter, not a secret)
        self._abort_at = max(1, int(random.random() * self._most_announced))  # noqa: S311 (as above)
        self._over.clear()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.expire)
        if self._events.on_refetch_delay_start is not None:
            pause = timedelta(seconds=seconds)
            self._events.on_refetch_delay_start(pause, self._threshold, self._abort_at)
        self._abort_if_many()

    def announced(self, jobs: int) -> None:
        """So many new jobs were announced."""
        self._announced += jobs
        if self._timer is not None:
            self._abort_if_many()

    def expire(self) -> None:
        """The delay is over: its time is up, or the worker knows better."""
        if self.stop() and self._events.on_refetch_delay_expired is not None:
            self._events.on_refetch_delay_expired()

    def stop(self) -> bool:
        """End the delay without a word; False when there was none."""
        timer, self._timer = self._timer, None
        if timer is None:
            return False
        timer.cancel()
        self._over.set()
        return True

    def _abort_if_many(self) -> None:
        if self._announced < self._abort_at:
            return
        self.stop()
        if self._events.on_refetch_delay_abort is not None:
            self._events.on_refetch_delay_abort(self._announced, self._abort_at)
