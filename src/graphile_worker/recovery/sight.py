"""Whether the silence of others says anything, or nobody could be heard."""

from __future__ import annotations

from datetime import datetime
from typing import Final

_USUAL_SETTLING: Final = 60.0
"""Seconds. A live worker's next try is at most a patience of 40 s and a backoff of 5 s away."""
_INTERVALS: Final = 1.2
"""Heartbeat intervals that fit into it at the least: who slept with us tries after one."""
_PART_TO_SETTLE: Final = 0.4
"""Of the threshold: three heartbeats fit into one, so that this is more than an interval."""
_PART_UNSEEN: Final = 1 / 3
"""Of the threshold. An interval is a third at the most, and a pause may hide an outage. What these
three leave of the threshold is for the tries that follow."""
_PART_TO_PAUSE: Final = 0.2
"""Of the threshold: what happens between two looks goes unnoticed."""
_ANSWER: Final = 0.25
"""Seconds that a look and a sweep may take and be no gap in the sight."""


class Sight:
    """How much a sweeper has seen of the database, by the database's own clock.

    While the database is out of reach nobody's heartbeat arrives, and after a threshold of that all
    look dead. The same when the sweeper and others slept together, and when the database's clock
    leaps. So when too much of the time went by unseen, the sweeper waits until whoever is alive has
    said so. Only the pauses it meant to make are time that it saw; for the rest of the time between
    two looks nobody may have been able to say anything.

    Args:
        threshold: seconds of silence after which a worker counts as dead.
        heartbeat_interval: seconds between two heartbeats, where all goes well; at most a third of
            the threshold.
    """

    def __init__(self, *, threshold: float, heartbeat_interval: float) -> None:
        settling = max(_USUAL_SETTLING, _INTERVALS * heartbeat_interval)
        self._to_settle = min(settling, _PART_TO_SETTLE * threshold)
        self._tolerated = _PART_UNSEEN * threshold
        self._longest_pause = _PART_TO_PAUSE * threshold
        # An outage that a pause hides, and the try after it, still fit in behind an interval.
        self._pause_to_settle = (self._to_settle - heartbeat_interval) / 2
        self._last: datetime | None = None
        self._server_started: datetime | None = None
        self._pause: float | None = None
        self._is_settling = False
        # Of the stretch since everybody must have been heard, and of the one before.
        self._seen = self._unseen = self._unseen_before = 0.0

    def seconds_to_wait(self, now: datetime, server_started: datetime) -> float:
        """What is missing until a sweep may be made; 0: now. To be called after each pause.

        Before the first call everything was seen, unless the server has only just started: a worker
        that does not live long must be able to sweep, too.

        Args:
            now: the database's clock; the sweeper sees it.
            server_started: since when the server is there at all.
        """
        up = (now - server_started).total_seconds()
        # A start in the future is one from before the clock was put back.
        is_new = server_started != self._server_started and 0 <= up < self._to_settle
        if self._last is not None:
            self._count((now - self._last).total_seconds())
        if is_new:
            self._settle(seen=up if self._last is None else 0.0)
        self._last, self._server_started, self._pause = now, server_started, None
        return self._to_settle - self._seen if self._is_settling else 0.0

    def pause(self, wanted: float) -> float:
        """How long to sleep until the next look, of the seconds that are wanted."""
        if self._pause is not None:
            # The look in between had no answer: nothing was seen after it.
            return min(wanted, self._longest_pause)
        longest = self._pause_to_settle if self._is_settling else self._longest_pause
        self._pause = max(0.0, min(wanted, longest))
        return self._pause

    def _count(self, passed: float) -> None:
        seen = max(0.0, min(passed, (self._pause or 0.0) + _ANSWER))
        self._seen += seen
        self._unseen += max(0.0, passed - seen)
        if self._unseen > self._may_be_unseen():
            self._settle(seen=0.0)
        elif self._seen >= self._to_settle:
            self._is_settling = False
            self._seen, self._unseen, self._unseen_before = 0.0, 0.0, self._unseen

    def _may_be_unseen(self) -> float:
        if self._is_settling:
            # Behind more than that, whoever is alive may have to try anew.
            return self._to_settle / 2
        # A stretch is longer than an interval, so that a silence touches two at the most.
        return self._tolerated - self._unseen_before

    def _settle(self, *, seen: float) -> None:
        self._is_settling = True
        self._seen, self._unseen, self._unseen_before = seen, 0.0, 0.0
