"""Where each claim looks for jobs."""

from __future__ import annotations

import time
from math import inf
from typing import Final, NamedTuple

from graphile_worker.jobs.claimed_job import (
    NO_QUEUED,
    NONE_FREE,
    QUEUED,
    QUEUED_AFTER,
    QUEUED_NEAR,
    ClaimedJob,
)
from graphile_worker.queries.claim_jobs import FRONT, Look, Place, place_after

_PLAIN_FOR: Final = 0.1
"""Seconds of claims from where the last one ended, after one that began at the front."""
_PLAIN_AT_MOST: Final = 5.0
"""The same where claims from the front take long."""
_SHARE: Final = 20
"""So many times as long as the last claim from the front took, such claims follow it."""


class Aim(NamedTuple):
    """Where a claim looks, and from where on."""

    look: Look
    start: Place = FRONT


class Looks:
    """Mostly from where the last claim ended on, and often enough from the front or everywhere.

    While jobs of free queues may come, only as many are claimed without a look at these as the last
    look everywhere has seen to be in none, so that the order is the same. Where the first jobs of
    all were enough for one claim, the next looks at no others.

    Args:
        by_index: whether our index is there.
    """

    def __init__(self, *, by_index: bool) -> None:
        self.everywhere = Aim(Look.HEADS if by_index else Look.QUEUES)
        """What misses nothing."""
        self._is_known = False
        self._seen = QUEUED
        """What the last look everywhere saw of queues; a plain claim only sees that there are."""
        self._plain_jobs = 0.0
        self._plain_until = 0.0
        self._reached = FRONT
        self._is_freed = False
        """Whether a queue was freed since the last claim was sent."""

    def next(self, limit: int) -> Aim:
        """Where a claim of `limit` jobs looks, which is to be sent at once."""
        self._is_freed = False
        if not self._is_known:
            return self.everywhere
        if limit <= self._plain_jobs and time.monotonic() < self._plain_until:
            return Aim(Look.PLAIN, self._reached)
        if self._seen == NO_QUEUED:
            return Aim(Look.PLAIN)
        return Aim(Look.NEAR) if self._seen == QUEUED_NEAR else self.everywhere

    def claimed(self, jobs: list[ClaimedJob], aim: Aim, took: float, limit: int) -> None:
        """A claim was answered.

        Args:
            jobs: in their order.
            aim: what `next` gave for it.
            took: seconds.
            limit: how many it asked for.
        """
        self._is_known = len(jobs) == limit
        self._plain_jobs -= limit
        if aim.look is not Look.PLAIN and jobs:
            self._seen = jobs[0].queued
        elif jobs and self._seen == NO_QUEUED and jobs[0].queued != NO_QUEUED:
            self._seen, self._plain_jobs = QUEUED, 0.0
        if not self._is_known:
            return
        self._reached = place_after(jobs)
        if aim.start == FRONT:
            self._plain_jobs = 0.0 if self._is_freed else _plain_jobs(self._seen)
            pause = _pause(took) if self._seen == NO_QUEUED else _PLAIN_FOR
            self._plain_until = time.monotonic() + pause

    def idle(self, *, is_called: bool) -> None:
        """There was nothing to do, and now there may be; or nobody called, and it is time to look.

        What calls is most likely a job of no queue, which a plain claim finds sooner; where it
        finds nothing, a look everywhere follows.
        """
        self._is_known = is_called and self._seen == NO_QUEUED
        self._plain_jobs = 0.0

    def queue_freed(self) -> None:
        """A queue is free that the last look everywhere passed by."""
        self._plain_jobs, self._is_freed = 0.0, True


def _plain_jobs(seen: int) -> float:
    """How many jobs may be claimed before the next look everywhere."""
    if seen in {NO_QUEUED, NONE_FREE}:
        return inf
    return max(0.0, seen - QUEUED_AFTER)


def _pause(took: float) -> float:
    """How long claims go on from where the last one ended: so long waits what is more urgent.

    A tenth of a second; but where a claim from the front takes long, as while an old transaction
    keeps the index full of jobs that are gone, those take a twentieth of the time at most.
    """
    return min(max(_PLAIN_FOR, _SHARE * took), _PLAIN_AT_MOST)
