"""Outcomes that wait to be released together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from math import inf
from typing import Final

from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Outcome
from graphile_worker.worker.batch_delays import BatchDelays
from graphile_worker.worker.released import Pair

FULL_BATCH: Final = 1000
"""Jobs in one statement; so many wait for no others."""
_COMPANY: Final = 0.003
"""Seconds for which outcomes wait for those of jobs that are about to run."""


class WaitingOutcomes:
    """Collects outcomes while a statement is under way, and gives them out for the next one.

    Args:
        delays: how long outcomes wait for others, at most, while nothing hurries them.
        on_filled: called when there are outcomes; idempotent.
        on_due: called when a batch is to be taken.
        more_start: whether claimed jobs wait for the slots of those that end.
    """

    def __init__(
        self,
        delays: BatchDelays,
        *,
        on_filled: Callable[[], None],
        on_due: Callable[[], None],
        more_start: Callable[[], bool],
    ) -> None:
        self._delays = delays if delays.any else None
        self._on_filled = on_filled
        self._on_due = on_due
        self._more_start = more_start
        self._pairs: list[Pair] = []
        self._timer: asyncio.Handle | None = None
        self._flush_at = inf
        self._is_due = False
        self._has_queued = False
        """Whether a job of a named queue is among them, or may be."""
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs)

    def put(self, job: ClaimedJob, outcome: Outcome) -> None:
        """Add what became of a job."""
        pairs = self._pairs
        pairs.append((job, outcome))
        if job.queue_id is not None:
            self._has_queued = True
        if self._delays is not None:
            self._on_filled()
            self._wait_for_others(self._delays.of(job, outcome))
        elif len(pairs) == 1:  # whoever takes the list takes all of it
            self._on_filled()
            self.flush()

    def flush(self) -> None:
        """Let what is here now wait no longer for others."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._flush_at = None, inf
        if self._pairs:
            self._is_due = True
            self._on_due()

    def hurry(self) -> None:
        """From now on nothing waits for others; idempotent."""
        self._delays = None
        self.flush()

    def take(self) -> list[Pair]:
        """Take what is to be sent now; nothing, if nothing is."""
        if not self._pairs or not (self._is_due or self._delays is None):
            return []
        taken, self._pairs = self._pairs[:FULL_BATCH], self._pairs[FULL_BATCH:]
        self._is_due = self._has_queued = bool(self._pairs)
        return taken

    async def wait_for_company(self) -> None:
        """Wait for jobs that start and end in the next turns of the loop; no queue waits."""
        seen, until = 0, time.monotonic() + _COMPANY
        while seen < len(self._pairs) < FULL_BATCH and self._more_start():
            if self._has_queued or time.monotonic() > until:
                return
            seen = len(self._pairs)
            await asyncio.sleep(0)

    def _wait_for_others(self, delay: float) -> None:
        """What is here is due after `delay` seconds, or before."""
        if delay == 0 or len(self._pairs) >= FULL_BATCH:
            self.flush()
        elif not self._is_due:
            at = self._loop.time() + delay
            if at < self._flush_at:
                if self._timer is not None:
                    self._timer.cancel()
                # A timer of uvloop does not always know when it is due.
                self._timer, self._flush_at = self._loop.call_at(at, self.flush), at
