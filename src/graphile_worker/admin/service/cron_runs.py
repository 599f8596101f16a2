"""The last runs of recurring jobs, as far as anything is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from graphile_worker.cron.crontab import Crontab
from graphile_worker.cron.runs import latest_runs, next_minute
from graphile_worker.queries.cron import KnownCrontab
from graphile_worker.queries.history_reading import FirstAttempt

SHOWN: Final = 20
"""Runs of each entry."""
LATE_AFTER: Final = timedelta(minutes=5)
_FAILED: Final = frozenset({"failed", "dead"})


class CronRunState(Enum):
    """What became of a run."""

    ON_TIME = "on_time"
    """Its job started within five minutes."""
    LATE = "late"
    """Its job started later."""
    FAILED = "failed"
    """The last recorded attempt of its job failed."""
    ADDED = "added"
    """Its job was added, by the last execution that workers have written down; nothing is recorded
    of an attempt."""
    DUE = "due"
    """No job was added yet, for less than five minutes."""
    OWED = "owed"
    """No job was added."""
    PAUSED = "paused"
    """The entry was paused then, and still is: no job is added for it."""
    UNKNOWN = "unknown"
    """Nothing is recorded."""


@dataclass(frozen=True, slots=True)
class CronRun:
    """One run: a minute in which a job is to be added."""

    at: datetime
    state: CronRunState
    started_at: datetime | None = None
    """When the first attempt of its job started."""


def past_runs(crontab: Crontab, known: KnownCrontab | None, now: datetime) -> list[datetime]:
    """The last runs of an entry since it is known, the oldest first; none where nobody knows it."""
    if known is None or known.known_since >= now:
        return []
    since = next_minute(known.known_since)
    return latest_runs(crontab.expression, crontab.zone, since, now, SHOWN)


def cron_runs(
    runs: Sequence[datetime],
    known: KnownCrontab,
    recorded: Sequence[FirstAttempt | None],
    *,
    paused_at: datetime | None,
    now: datetime,
) -> list[CronRun]:
    """What became of runs.

    Args:
        runs: when they were due.
        known: what workers have written down of the entry.
        recorded: what history has of each; None where it has nothing.
        paused_at: since when the entry is paused; None: it is not.
        now: the database's clock.
    """
    return [
        _recorded(at, attempt)
        or CronRun(at, _unrecorded(at, known.last_execution, paused_at=paused_at, now=now))
        for at, attempt in zip(runs, recorded, strict=True)
    ]


def _recorded(at: datetime, attempt: FirstAttempt | None) -> CronRun | None:
    if attempt is None or attempt.started_at is None:
        return None
    started = attempt.started_at
    if attempt.outcome in _FAILED:
        return CronRun(at, CronRunState.FAILED, started)
    is_late = started - at > LATE_AFTER
    return CronRun(at, CronRunState.LATE if is_late else CronRunState.ON_TIME, started)


def _unrecorded(
    at: datetime, last: datetime | None, *, paused_at: datetime | None, now: datetime
) -> CronRunState:
    if last is not None and at == last:
        return CronRunState.ADDED
    if last is not None and at < last:
        return CronRunState.UNKNOWN
    if paused_at is not None and at >= paused_at:
        return CronRunState.PAUSED
    return CronRunState.OWED if now - at > LATE_AFTER else CronRunState.DUE
