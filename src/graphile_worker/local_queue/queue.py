"""The jobs that wait for a slot."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from graphile_worker.hooks.reasons import LocalQueueMode
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.local_queue.events import SILENT, LocalQueueEvents
from graphile_worker.local_queue.options import LocalQueueConfig
from graphile_worker.local_queue.refetch_delay import RefetchDelay
from graphile_worker.runtime.duration import duration

logger = logging.getLogger(__name__)


class Slots(Protocol):
    """Where jobs run."""

    free: int
    """How many more may start."""

    def start(self, job: ClaimedJob) -> None:
        """Run one."""
        ...


class LocalQueue:
    """Stands between the claimer and the slots; the package tells its modes.

    Not thread-safe. What waits here is locked for this worker and counts as held.

    Args:
        config: how much may wait, and for how long.
        concurrency: how many slots there are.

    Collaborators: `slots` run the jobs; `give_back` takes jobs that never ran, and `returned` is to
    be called for each that is back in the table; `on_room` hears that the next claim has room.
    """

    def __init__(
        self,
        config: LocalQueueConfig,
        *,
        concurrency: int,
        slots: Slots,
        give_back: Callable[[ClaimedJob], None],
        on_room: Callable[[], None],
        events: LocalQueueEvents = SILENT,
    ) -> None:
        self._parts = min(config.queue_count, concurrency)
        self.capacity = config.size * self._parts
        """How many jobs may wait; see `wanted`."""
        self._enough = self._half = self.capacity // 2
        """As long as more wait, no claim is sent."""
        self._ttl = duration("ttl", config.ttl).total_seconds()
        self._slots = slots
        self._give_back = give_back
        self._on_room = on_room
        self._events = events
        self._delay = (
            None
            if config.refetch_delay is None
            else RefetchDelay(
                config.refetch_delay, most_announced=config.most_announced, events=events
            )
        )
        self.mode = LocalQueueMode.STARTING
        self._jobs: deque[ClaimedJob] = deque()
        self._received = 0
        self._started_before = 0
        """By the time the last claim was sent."""
        self._start_meanwhile = 0
        """So many are expected to start while a claim is under way."""
        # For each claim that may have a job here: how many had been received with it, and when
        # its jobs have waited for too long.
        self._deadlines: deque[tuple[int, float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._returning = self._returned = 0
        self._loop = asyncio.get_running_loop()
        if self.capacity < concurrency:
            logger.warning(
                "local_queue.size is %d, less than the concurrency, %d: most slots wait for a "
                "claim as they do without a local queue",
                self.capacity,
                concurrency,
            )

    @property
    def waiting(self) -> list[ClaimedJob]:
        """The jobs that wait for a slot, next first."""
        return list(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)

    def open(self) -> None:
        """The run begins."""
        if self._events.on_init is not None:
            for _ in range(self._parts):
                self._events.on_init()
        self._enter(LocalQueueMode.POLLING)

    async def wait_for_turn(self) -> None:
        """Wait until the next claim may be sent."""
        if self._delay is not None:
            await self._delay.wait()

    def announced(self, jobs: int) -> None:
        """So many new jobs were announced, by whomever."""
        if self._delay is not None:
            self._delay.announced(jobs)

    def queue_freed(self) -> None:
        """We freed a named queue, and know better than any delay that it may have a next job."""
        if self._delay is not None:
            self._delay.expire()

    def wanted(self) -> int:
        """How many jobs the claim that is sent now is to ask for; none while enough are waiting.

        It asks for what will have room when its answer comes. Where jobs are shorter than a claim,
        those that start meanwhile are more than half of all: so the next claim is sent that much
        earlier, and the slots never run dry. Should they start late, because a handler is
        suddenly slow, up to twice the capacity waits.
        """
        free = max(0, self._slots.free)
        if self.mode is LocalQueueMode.TTL_EXPIRED:
            if not free:
                return 0
            self._enter(LocalQueueMode.POLLING)
        if len(self._jobs) > self._enough:
            return 0
        if self._delay is not None:
            self._delay.claim_sent()
        self._started_before = self._started
        return free + self.capacity - max(0, len(self._jobs) - self._start_meanwhile)

    def put(self, jobs: list[ClaimedJob], *, asked: int) -> None:
        """Take the answer of a claim that asked for so many; to the slots first."""
        if self._events.on_get_jobs_complete is not None:
            self._events.on_get_jobs_complete(len(jobs))
        self._learn_from_claim()
        self._jobs.extend(jobs)
        self._received += len(jobs)
        if self.mode is LocalQueueMode.RELEASED:
            self._give_all_back()
            return
        if self._delay is not None and len(jobs) < asked:
            self._delay.claim_answered(len(jobs))
        while self._jobs and self._slots.free > 0:
            self._slots.start(self._jobs.popleft())
        if not self._jobs:
            self._nothing_waits()
        elif jobs:
            self._wait()

    def slot_freed(self) -> None:
        """A slot is free: it takes the next job at once, without a look at the database."""
        jobs = self._jobs
        if not jobs:
            self._on_room()
        elif self._slots.free > 0:
            self._slots.start(jobs.popleft())
            left = len(jobs)
            if left == self._enough:
                self._on_room()
            if not left:
                self._nothing_waits()

    def clear(self) -> None:
        """Give back all that waits, and go on."""
        self._give_all_back()
        self._nothing_waits()

    def release(self) -> None:
        """Give back all that waits, and whatever still comes; idempotent."""
        if self.mode is LocalQueueMode.RELEASED:
            return
        if self._delay is not None:
            self._delay.stop()
        self._enter(LocalQueueMode.RELEASED)
        self._give_all_back()

    def returned(self, *, lost: bool) -> None:
        """One of those given back is in the table again, or was taken from us before."""
        self._returning -= 1
        self._returned += not lost
        if self._returning or not self._returned:
            return
        count, self._returned = self._returned, 0
        if self._events.on_return_jobs is not None:
            self._events.on_return_jobs(count)

    @property
    def _started(self) -> int:
        """How many jobs of all received wait no more."""
        return self._received - len(self._jobs)

    def _learn_from_claim(self) -> None:
        started = self._started - self._started_before
        # Where nothing is left, more would have started if there had been more.
        self._start_meanwhile = min(started if self._jobs else 2 * started, self.capacity)
        self._enough = max(self._half, self._start_meanwhile)

    def _wait(self) -> None:
        """Jobs of the claim just answered have found no slot."""
        while self._deadlines and self._deadlines[0][0] <= self._started:
            self._deadlines.popleft()
        self._deadlines.append((self._received, self._loop.time() + self._ttl))
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadlines[0][1], self._expire)
        if self.mode is LocalQueueMode.TTL_EXPIRED:
            self._enter(LocalQueueMode.POLLING)
        self._enter(LocalQueueMode.WAITING)

    def _expire(self) -> None:
        """The oldest claim's time is up; only if one of its jobs is still here that matters."""
        self._timer = None
        while self._deadlines[0][0] <= self._started:
            self._deadlines.popleft()
        deadline = self._deadlines[0][1]
        if deadline > self._loop.time():
            self._timer = self._loop.call_at(deadline, self._expire)
            return
        logger.info("%d claimed jobs found no slot in time; giving them back", len(self._jobs))
        self._enter(LocalQueueMode.TTL_EXPIRED)
        self._give_all_back()

    def _nothing_waits(self) -> None:
        self._stop_timer()
        if self.mode is LocalQueueMode.WAITING:
            self._enter(LocalQueueMode.POLLING)

    def _give_all_back(self) -> None:
        self._stop_timer()
        self._returning += len(self._jobs)
        self._started_before += len(self._jobs)  # they leave without starting
        while self._jobs:
            self._give_back(self._jobs.popleft())

    def _stop_timer(self) -> None:
        self._deadlines.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _enter(self, mode: LocalQueueMode) -> None:
        old, self.mode = self.mode, mode
        if old is not mode and self._events.on_set_mode is not None:
            self._events.on_set_mode(old, mode)
