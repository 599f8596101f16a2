"""What one worker counts until it is stored: by minute and task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias

from graphile_worker.history.histogram import bucket_of

Counted: TypeAlias = Literal["completed", "failed", "dead"]

MOST: Final = 20_000
"""Minutes and tasks together; more are not counted, so that a worker without a database does not
grow."""

_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86400}


class Counts:
    """Of one task in one period; durations in seconds."""

    __slots__ = ("completed", "dead", "failed", "run", "run_h", "wait", "wait_h")

    def __init__(self) -> None:
        self.completed = self.failed = self.dead = 0
        self.run = self.wait = 0.0
        self.run_h: list[int] = []
        self.wait_h: list[int] = []

    def merge(self, other: Counts) -> None:
        """Add what another one counted."""
        self.completed += other.completed
        self.failed += other.failed
        self.dead += other.dead
        self.run += other.run
        self.wait += other.wait
        for bucket, count in enumerate(other.run_h):
            _add(self.run_h, bucket, count)
        for bucket, count in enumerate(other.wait_h):
            _add(self.wait_h, bucket, count)


class Tally:
    """Counts runs. Not thread-safe."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, str], Counts] = {}
        self.missed = 0
        """Runs that were not counted, since too much waits to be stored."""

    def __len__(self) -> int:
        return len(self._counts)

    def add(
        self, outcome: Counted, task: str, *, at: float, run: float, wait: float | None
    ) -> None:
        """Count a run.

        Args:
            outcome: how it ended.
            task: of which task.
            at: when it ended, in seconds since 1970.
            run: how long it ran; counted if it completed, since a failure says nothing of that.
            wait: how long the job had been due when it started; None for other than first attempts,
                which had to wait for their backoff.
        """
        minute = int(at // 60)
        counts = self._counts.get((minute, task))
        if counts is None:
            if len(self._counts) >= MOST:
                self.missed += 1
                return
            counts = self._counts[minute, task] = Counts()
        if outcome == "completed":
            counts.completed += 1
            counts.run += run
            _add(counts.run_h, bucket_of(run), 1)
        elif outcome == "failed":
            counts.failed += 1
        else:
            counts.dead += 1
        if wait is not None:
            counts.wait += wait
            _add(counts.wait_h, bucket_of(wait), 1)

    def take(self) -> dict[tuple[int, str], Counts]:
        """All counts, by minute and task; the tally is empty after that."""
        taken, self._counts = self._counts, {}
        return taken

    def put_back(self, counts: dict[tuple[int, str], Counts]) -> None:
        """What was taken could not be stored."""
        for key, theirs in counts.items():
            self._counts.setdefault(key, Counts()).merge(theirs)


def rows(counts: dict[tuple[int, str], Counts]) -> Iterator[dict[str, Any]]:
    """The rows that are to be added for them: minutes, hours and days, each by task."""
    for resolution, length in _SECONDS.items():
        merged: dict[tuple[int, str], Counts] = {}
        for (minute, task), theirs in counts.items():
            at = minute * 60 // length * length
            merged.setdefault((at, task), Counts()).merge(theirs)
        for (at, task), summed in merged.items():
            values = {name: getattr(summed, name) for name in Counts.__slots__}
            yield {"resolution": resolution, "at": at, "task": task, **values}


def _add(histogram: list[int], bucket: int, count: int) -> None:
    """Histograms are as long as they need to be: most tasks take no days."""
    if len(histogram) <= bucket:
        histogram.extend([0] * (bucket + 1 - len(histogram)))
    histogram[bucket] += count
