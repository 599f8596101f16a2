"""Where each claim looks for jobs."""

from __future__ import annotations

import time
from typing import Final

from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.queries.claim_jobs import FRONT, Place, place_after

_PLAIN_FOR: Final = 0.1
"""Seconds of plain claims after one that looked everywhere and saw no queue."""
_PLAIN_AT_MOST: Final = 5.0
"""The same where looking everywhere takes long."""
_SHARE: Final = 20
"""So many times as long as the last look everywhere took, plain claims follow it."""


class Looks:
    """Mostly from where the last claim ended on, and often enough everywhere."""

    def __init__(self) -> None:
        self._plain_until = 0.0
        self._plain_once = False
        self._queues_exist = True
        self._reached = FRONT

    def next(self) -> Place | None:
        """From where on the next claim looks for jobs of no queue; None: it looks everywhere."""
        if self._plain_once or time.monotonic() < self._plain_until:
            return self._reached
        return None

    def claimed(
        self, jobs: list[ClaimedJob], start: Place | None, took: float, *, is_full: bool
    ) -> None:
        """A claim was answered.

        Args:
            jobs: in their order.
            start: what `next` gave for it.
            took: seconds.
            is_full: it brought all it asked for.
        """
        self._plain_once = False
        if jobs and start is None:
            self._queues_exist = jobs[0].queues_exist
        if not is_full:
            self._plain_until, self._reached = 0.0, FRONT
            return
        self._reached = place_after(jobs)
        if start is None:
            pause = 0.0 if self._queues_exist else _pause(took)
            self._plain_until = time.monotonic() + pause

    def idle(self, *, is_called: bool) -> None:
        """There was nothing to do, and now there may be; or nobody called, and it is time to look.

        What calls is most likely a job of no queue, which a plain claim finds sooner; where it
        finds nothing, a look everywhere follows.
        """
        self._plain_once = is_called and not self._queues_exist


def _pause(took: float) -> float:
    """How long claims may be plain: so long may wait what is more urgent than the last job.

    A tenth of a second; but where a look everywhere takes long, as while an old transaction keeps
    the index full of jobs that are gone, it takes a twentieth of the time at most.
    """
    return min(max(_PLAIN_FOR, _SHARE * took), _PLAIN_AT_MOST)
