"""Where each claim looks for jobs."""

from __future__ import annotations

import time
from typing import Final

from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.queries.claim_jobs import FRONT, Place, place_after

_PLAIN_FOR: Final = 0.1
"""Seconds of claims from where the last one ended, after one that began at the front."""
_PLAIN_AT_MOST: Final = 5.0
"""The same where claims from the front take long."""
_SHARE: Final = 20
"""So many times as long as the last claim from the front took, such claims follow it."""


class Looks:
    """Mostly from where the last claim ended on, and often enough from the front or everywhere."""

    def __init__(self) -> None:
        self._plain_until = 0.0
        self._is_known = False
        self._queues_exist = True
        self._reached = FRONT

    def next(self) -> Place | None:
        """From where on the next claim looks for jobs of no queue; None: it looks everywhere."""
        if not self._is_known:
            return None
        if time.monotonic() < self._plain_until:
            return self._reached
        return None if self._queues_exist else FRONT

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
        self._is_known = is_full
        if jobs:
            self._queues_exist = jobs[0].queues_exist
        if not is_full:
            return
        self._reached = place_after(jobs)
        if start is None or start == FRONT:
            pause = 0.0 if self._queues_exist else _pause(took)
            self._plain_until = time.monotonic() + pause

    def idle(self, *, is_called: bool) -> None:
        """There was nothing to do, and now there may be; or nobody called, and it is time to look.

        What calls is most likely a job of no queue, which a plain claim finds sooner; where it
        finds nothing, a look everywhere follows.
        """
        self._is_known = is_called and not self._queues_exist
        self._plain_until = 0.0


def _pause(took: float) -> float:
    """How long claims go on from where the last one ended: so long waits what is more urgent.

    A tenth of a second; but where a claim from the front takes long, as while an old transaction
    keeps the index full of jobs that are gone, those take a twentieth of the time at most.
    """
    return min(max(_PLAIN_FOR, _SHARE * took), _PLAIN_AT_MOST)
