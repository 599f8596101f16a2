"""Recurring jobs, as far as they are known here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from graphile_worker.admin.service.fleet import FleetMember
from graphile_worker.cron.crontab import Crontab
from graphile_worker.queries.cron import KnownCrontab

LATE_AFTER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class CronEntry:
    """One entry."""

    identifier: str
    task: str | None
    """None where its crontab is not known here."""
    expression: str | None
    timezone: str | None
    line: str | None
    """The whole entry as crontab text, without its payload."""
    known_since: datetime | None
    """When a worker first had it; None: none ever had."""
    last_run: datetime | None
    next_runs: list[datetime]
    late_since: datetime | None
    """The run that is owed, where one is owed for more than five minutes."""
    workers: int
    """Live workers that schedule it."""


def cron_entries(
    crontabs: Sequence[Crontab],
    known: Iterable[KnownCrontab],
    fleet: Iterable[FleetMember],
    now: datetime,
) -> list[CronEntry]:
    """All entries by identifier: those given here, and those that the database remembers."""
    remembered = {entry.identifier: entry for entry in known}
    given = {crontab.identifier: crontab for crontab in crontabs}
    alive = [member.crons or [] for member in fleet if member.state == "alive"]
    return [
        _entry(name, given.get(name), remembered.get(name), sum(name in own for own in alive), now)
        for name in sorted(remembered.keys() | given.keys())
    ]


def _entry(
    name: str, crontab: Crontab | None, known: KnownCrontab | None, workers: int, now: datetime
) -> CronEntry:
    next_runs = [] if crontab is None else list(islice(crontab.runs(now), 3))
    return CronEntry(
        identifier=name,
        task=None if crontab is None else crontab.task,
        expression=None if crontab is None else str(crontab.expression),
        timezone=None if crontab is None else crontab.timezone,
        line=None if crontab is None else str(crontab).partition(" {")[0],
        known_since=None if known is None else known.known_since,
        last_run=None if known is None else known.last_execution,
        next_runs=next_runs,
        late_since=_owed(crontab, known, now),
        workers=workers,
    )


def _owed(crontab: Crontab | None, known: KnownCrontab | None, now: datetime) -> datetime | None:
    if crontab is None or known is None:
        return None
    start = known.last_execution or known.known_since
    owed = crontab.first_run(start + timedelta(minutes=1))
    return owed if owed is not None and now - owed > LATE_AFTER else None
