"""Throughput without history: what PostgreSQL counts anyway, remembered for an hour.

Every start of an attempt and every failure is one update of the table of jobs, every completion a
delete, so with n attempts running more than before, failures are (updates - deletes - n) / 2. What
operators delete counts as completed, what they change as updates.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from graphile_worker.queries.admin_samples import Pulse

KEPT: Final = 1_800
"""Readings: an hour of one every two seconds."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters at one moment.

    Attributes:
        running: jobs that were running, as counted last.
        oldest: seconds for which the oldest ready job was due; None when none was.
    """

    at: datetime
    inserted: int
    updated: int
    deleted: int
    running: int
    oldest: float | None
    epoch: datetime | None
    """When PostgreSQL began to count; counts of two epochs are not compared."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened in a span of time; None where nothing was read."""

    start: datetime
    enqueued: float | None = None
    completed: float | None = None
    failed: float | None = None
    oldest: float | None = None


class Counters:
    """The readings of the last hour, of which at most `KEPT` are kept."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=KEPT)

    @property
    def since(self) -> datetime | None:
        """When the first of them was made."""
        return self._readings[0].at if self._readings else None

    def add(self, pulse: Pulse, running: int) -> None:
        """Remember a pulse; one that is there already is left out."""
        if self._readings and self._readings[-1].at >= pulse.at:
            return
        if pulse.inserted is None or pulse.updated is None or pulse.deleted is None:
            return
        late = None if pulse.oldest_run_at is None else pulse.at - pulse.oldest_run_at
        self._readings.append(
            Reading(
                pulse.at,
                pulse.inserted,
                pulse.updated,
                pulse.deleted,
                running,
                None if late is None else late.total_seconds(),
                pulse.stats_reset,
            )
        )

    def buckets(self, *, until: datetime, width: timedelta, count: int) -> list[Bucket]:
        """The last spans of time, the oldest first; the last one is under way."""
        return buckets(self._readings, until=until, width=width, count=count)


def buckets(
    readings: Iterable[Reading], *, until: datetime, width: timedelta, count: int
) -> list[Bucket]:
    """Spread what happened between readings over spans of time."""
    seconds = width.total_seconds()
    end = (until.timestamp() // seconds + 1) * seconds
    first = end - count * seconds
    sums: list[list[Reading]] = [[] for _ in range(count)]
    changes: list[list[tuple[float, float, float]]] = [[] for _ in range(count)]
    for before, after in itertools.pairwise(readings):
        place = int((after.at.timestamp() - first) // seconds)
        if 0 <= place < count and (change := between(before, after)) is not None:
            changes[place].append(change)
            sums[place].append(after)
    zone = until.tzinfo
    return [
        _bucket(datetime.fromtimestamp(first + at * seconds, zone), changes[at], sums[at])
        for at in range(count)
    ]


def between(before: Reading, after: Reading) -> tuple[float, float, float] | None:
    """What was enqueued, completed and failed between two readings; None across a reset."""
    enqueued = after.inserted - before.inserted
    updated = after.updated - before.updated
    completed = after.deleted - before.deleted
    if before.epoch != after.epoch or min(enqueued, updated, completed) < 0:
        return None
    return enqueued, completed, (updated - completed - (after.running - before.running)) / 2


def _bucket(
    start: datetime, changes: Sequence[tuple[float, float, float]], readings: Sequence[Reading]
) -> Bucket:
    if not changes:
        return Bucket(start)
    enqueued, completed, failed = (sum(column) for column in zip(*changes, strict=True))
    oldest = max((one.oldest or 0.0 for one in readings), default=0.0)
    return Bucket(start, enqueued, completed, max(0, round(failed)), oldest)
