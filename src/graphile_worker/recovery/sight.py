"""Whether the silence of others says anything, or nobody could be heard."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

_USUAL_SETTLING: Final = 60.0
"""Seconds. A live worker's next try is at most a patience of 40 s and a backoff of 5 s away."""
_INTERVALS: Final = 1.2
"""Heartbeat intervals that fit into it at the least: who slept with us tries after one."""
_PART_TO_SETTLE: Final = 0.4
"""Of the threshold: three heartbeats fit into one, so that this is more than an interval."""
_PART_UNSEEN: Final = 0.5
"""Of the threshold: with an interval before it, and tries after it, that is still less than all."""


class Sight:
    """How long a sweeper has seen the database without a break, by the database's own clock.

    While the database is out of reach nobody's heartbeat arrives, and after a threshold of that all
    look dead. The same when the sweeper and others slept together, and when the database's clock
    leaps. So after a break the sweeper waits until whoever is alive has said so.

    Args:
        threshold: seconds of silence after which a worker counts as dead.
        heartbeat_interval: seconds between two heartbeats, where all goes well.
    """

    def __init__(self, *, threshold: float, heartbeat_interval: float) -> None:
        settling = max(_USUAL_SETTLING, _INTERVALS * heartbeat_interval)
        self._settling = timedelta(seconds=min(settling, _PART_TO_SETTLE * threshold))
        self._longest_break = timedelta(seconds=_PART_UNSEEN * threshold)
        self.longest_pause = _PART_TO_SETTLE * threshold
        """Seconds after which the sweeper has to look again, or its own pause is such a break."""
        self._last: datetime | None = None
        self._since: datetime | None = None

    def seconds_to_wait(self, now: datetime, server_started: datetime) -> float:
        """What is missing until a sweep may be made; 0: now.

        Before the first call there is no break, unless the server has only just started: a worker
        that does not live long must be able to sweep, too.

        Args:
            now: the database's clock; the sweeper sees it.
            server_started: since when the server is there at all.
        """
        if self._last is not None and now - self._last > self._longest_break:
            self._since = now
        self._last = now
        # A moment in the future is one from before the clock was put back.
        begins = [since for since in (self._since, server_started) if since and since <= now]
        if not begins:
            return 0.0
        return max(0.0, (max(begins) + self._settling - now).total_seconds())
