"""Which runs are owed, oldest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from graphile_worker.cron.crontab import Crontab
from graphile_worker.cron.runs import MINUTE, next_minute, this_minute
from graphile_worker.queries.cron import KnownCrontab

SHORTEST_REPLAY: Final = timedelta(minutes=5)
"""Runs missed for no longer than this are made up for, whatever an entry's `fill`."""


@dataclass(frozen=True, slots=True)
class Due:
    """The entries that are owed a job for one minute."""

    minute: datetime
    crontabs: list[Crontab]


def first_owed(
    crontab: Crontab, known: KnownCrontab | None, start: datetime, resumed: datetime | None = None
) -> datetime:
    """From when on an entry is owed its runs, when a worker starts.

    One that nobody knew before begins with the start, as does one without `fill`: their past is
    not made up for. Nor is a pause, which ended when it was `resumed`.
    """
    if known is None or not crontab.fill.total_seconds:
        return next_minute(start)
    if known.last_execution is None:
        since = known.known_since
    else:
        since = this_minute(known.last_execution) + MINUTE
    # Not later than the start: an execution ahead of the clock says that the clock was put back,
    # and the database refuses what lies before it.
    since = max(start - crontab.fill.period, since)
    if resumed is not None:
        since = max(since, resumed)
    return next_minute(min(start, since))


class Agenda:
    """The next run of each entry; it only ever goes forward.

    So a clock that is put back repeats nothing: nothing is owed until it has come back to where it
    was. Runs too old to be made up for (`fill`, at least five minutes) are passed over.

    Args:
        entries: each with the minute from which on it is owed its runs.
    """

    def __init__(self, entries: Iterable[tuple[Crontab, datetime]]) -> None:
        self._crontabs: list[Crontab] = []
        self._heap: list[tuple[datetime, int]] = []
        self._taken: list[tuple[datetime, int]] = []
        for crontab, start in entries:
            self.add(crontab, start)

    def add(self, crontab: Crontab, start: datetime) -> None:
        """One more entry."""
        self._crontabs.append(crontab)
        self._push(len(self._crontabs) - 1, start)

    def due(self, now: datetime) -> Due | None:
        """The oldest minute that is owed, and stays owed until `done`; None when nothing is."""
        for owed in self._taken:
            heapq.heappush(self._heap, owed)
        self._taken = []
        while self._heap and self._heap[0][0] <= now:
            minute, number = self._heap[0]
            if self._taken and minute != self._taken[0][0]:
                break
            heapq.heappop(self._heap)
            oldest = now - max(self._crontabs[number].fill.period, SHORTEST_REPLAY)
            if minute < oldest:
                self._push(number, oldest)
            else:
                self._taken.append((minute, number))
        if not self._taken:
            return None
        crontabs = [self._crontabs[number] for _, number in self._taken]
        return Due(self._taken[0][0], crontabs)

    def done(self) -> None:
        """What `due` answered last is scheduled."""
        taken, self._taken = self._taken, []
        for minute, number in taken:
            self._push(number, minute + MINUTE)

    def _push(self, number: int, start: datetime) -> None:
        run = self._crontabs[number].first_run(start)
        if run is not None:
            heapq.heappush(self._heap, (run, number))
