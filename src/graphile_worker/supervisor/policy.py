"""When a process is started again, and when it is replaced. Decides only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from graphile_worker.supervisor.messages import Report

SHORTEST_PAUSE: Final = 0.1
"""Seconds before a process that ended is started again, doubled each time in a row …"""
LONGEST_PAUSE: Final = 30.0
"""… up to this."""
LONG_LIFE: Final = 60.0
"""Seconds after which the end of a process is no longer one in a row."""
HOPELESS: Final = 3
"""So many processes of each place that ended before they were ready: it is of no use."""
SECONDS_BEYOND_GRACE: Final = 15.0
"""What a process may take to end after the grace period: to cancel handlers, and to store."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may use up before it is replaced; None: any amount."""

    jobs: int | None = None
    memory: int | None = None
    """Bytes."""

    def reached(self, report: Report) -> str | None:
        """Which of them a process has reached; None: none."""
        if self.jobs is not None and report.jobs >= self.jobs:
            return f"it has run {report.jobs:,} jobs (at most {self.jobs:,})"
        if self.memory is not None and report.memory >= self.memory:
            held, allowed = report.memory / 2**20, self.memory / 2**20
            return f"it holds {held:,.0f} MiB (at most {allowed:,.0f})"
        return None


@dataclass(slots=True)
class Pauses:
    """How long to wait before a process is started again."""

    _next: float = SHORTEST_PAUSE

    def after(self, lived: float) -> float:
        """Seconds, after a process that has lived for so many."""
        pause = SHORTEST_PAUSE if lived >= LONG_LIFE else self._next
        self._next = min(LONGEST_PAUSE, pause * 2)
        return pause
