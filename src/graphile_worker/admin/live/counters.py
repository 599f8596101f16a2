"""Throughput without history: what PostgreSQL counts anyway, remembered for an hour.

See `graphile_worker.history.flow` for what follows from these counters.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from graphile_worker.history.flow import Flow, flow
from graphile_worker.queries.admin_samples import Pulse
from graphile_worker.queries.history_reading import Counters as CountersThen

KEPT: Final = 1_800
"""Readings: an hour of one every two seconds."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters at one moment.

    Attributes:
        counters: of the table of jobs.
        running: jobs that were running, as counted last.
        oldest: seconds for which the oldest ready job was due; 0 when none was.
    """

    counters: CountersThen
    running: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened in a span of time; None where nothing was read."""

    start: datetime
    enqueued: float | None = None
    completed: float | None = None
    failed: float | None = None
    oldest: float | None = None
    p50: float | None = None
    """Of the waits of jobs for their first attempt, in seconds; only where history is kept."""
    p95: float | None = None


class Counters:
    """The readings of the last hour, of which at most `KEPT` are kept."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=KEPT)

    @property
    def since(self) -> datetime | None:
        """When the first of them was made."""
        return self._readings[0].counters.at if self._readings else None

    def add(self, pulse: Pulse, running: int) -> None:
        """Remember a pulse; one that is there already is left out."""
        if self._readings and self._readings[-1].counters.at >= pulse.at:
            return
        if pulse.inserted is None or pulse.updated is None or pulse.deleted is None:
            return
        late = timedelta(0) if pulse.oldest_run_at is None else pulse.at - pulse.oldest_run_at
        counters = CountersThen(
            at=pulse.at,
            inserted=pulse.inserted,
            updated=pulse.updated,
            deleted=pulse.deleted,
            stats_reset=pulse.stats_reset,
        )
        self._readings.append(Reading(counters, running, max(0.0, late.total_seconds())))

    def buckets(self, *, until: datetime, width: timedelta, count: int) -> list[Bucket]:
        """The last spans of time, the oldest first; the last one is under way."""
        return buckets(self._readings, until=until, width=width, count=count)


def buckets(
    readings: Iterable[Reading], *, until: datetime, width: timedelta, count: int
) -> list[Bucket]:
    """What happened between readings, in spans of time of which the last one is under way."""
    seconds = width.total_seconds()
    end = (until.timestamp() // seconds + 1) * seconds
    first = end - count * seconds
    found: list[list[tuple[Flow, Reading]]] = [[] for _ in range(count)]
    for before, after in itertools.pairwise(readings):
        place = int((after.counters.at.timestamp() - first) // seconds)
        started = after.running - before.running
        between = flow(before.counters, after.counters, started=started)
        if 0 <= place < count and between is not None:
            found[place].append((between, after))
    return [
        _bucket(datetime.fromtimestamp(first + at * seconds, until.tzinfo), part)
        for at, part in enumerate(found)
    ]


def _bucket(start: datetime, found: Sequence[tuple[Flow, Reading]]) -> Bucket:
    if not found:
        return Bucket(start)
    return Bucket(
        start,
        enqueued=sum(between.enqueued for between, _ in found),
        completed=sum(between.completed for between, _ in found),
        failed=round(sum(between.failed_attempts for between, _ in found)),
        oldest=max(reading.oldest for _, reading in found),
    )
