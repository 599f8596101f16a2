"""Recurring jobs, as far as they are known here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from graphile_worker.admin.service.cron_runs import LATE_AFTER, CronRun, cron_runs, past_runs
from graphile_worker.admin.service.fleet import FleetMember
from graphile_worker.cron.crontab import Crontab, ts
from graphile_worker.cron.in_words import in_words
from graphile_worker.queries.cron import KnownCrontab
from graphile_worker.queries.history_reading import FirstAttempt
from graphile_worker.queries.pauses import Pause

MOST_STRIPS: Final = 100
"""Entries, the first by identifier, whose last runs are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronEntry:
    """One entry."""

    identifier: str
    task: str | None
    """None where its crontab is not known here."""
    expression: str | None
    in_words: str | None
    """The same as a sentence, with its time zone."""
    timezone: str | None
    line: str | None
    """The whole entry as crontab text, without its payload."""
    options: dict[str, str]
    """How its jobs are added, by name, where it is not as usual: `max`, `queue`, `priority`, `key`,
    `flags`."""
    last_ts: str | None
    """What `_cron.ts` is in the payload of the job of the last run; None where there was none."""
    fill_seconds: float | None
    """How far back missed runs are made up for; 0: not at all."""
    known_since: datetime | None
    """When a worker first had it; None: none ever had."""
    last_run: datetime | None
    next_runs: list[datetime]
    late_since: datetime | None
    """The run that is owed, where one is owed for more than five minutes and it is not paused."""
    paused_at: datetime | None
    """Since when it is paused; None: it is not."""
    last_runs: list[CronRun]
    """Up to 20, the oldest first, of the first 100 entries."""
    workers: int
    """Live workers that schedule it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronReading:
    """What the database says of the entries."""

    known: list[KnownCrontab]
    pauses: list[Pause]
    now: datetime


def cron_entries(
    crontabs: Sequence[Crontab], read: CronReading, fleet: Iterable[FleetMember]
) -> list[CronEntry]:
    """All entries by identifier: those given here, and those that the database remembers."""
    remembered = {entry.identifier: entry for entry in read.known}
    given = {crontab.identifier: crontab for crontab in crontabs}
    paused = {pause.name: pause.paused_at for pause in read.pauses}
    alive = [member.crons or [] for member in fleet if member.state == "alive"]
    return [
        _entry(
            name,
            given.get(name),
            remembered.get(name),
            paused_at=paused.get(name),
            workers=sum(name in own for own in alive),
            now=read.now,
        )
        for name in sorted(remembered.keys() | given.keys())
    ]


def wanted_runs(
    crontabs: Iterable[Crontab], read: CronReading
) -> dict[str, list[tuple[str, datetime]]]:
    """The last runs of the first entries, by identifier: the task and the time of each."""
    remembered = {entry.identifier: entry for entry in read.known}
    first = islice(sorted(crontabs, key=lambda crontab: crontab.identifier), MOST_STRIPS)
    return {
        crontab.identifier: [
            (crontab.task, at)
            for at in past_runs(crontab, remembered.get(crontab.identifier), read.now)
        ]
        for crontab in first
    }


def with_runs(
    entries: Iterable[CronEntry],
    wanted: Mapping[str, Sequence[tuple[str, datetime]]],
    recorded: Sequence[FirstAttempt | None],
    now: datetime,
) -> list[CronEntry]:
    """The entries with what became of their last runs.

    Args:
        entries: without them.
        wanted: the answer of `wanted_runs`.
        recorded: what history has of these, one after the other.
        now: the database's clock.
    """
    attempts = iter(recorded)
    found = {
        name: list(zip([at for _, at in runs], islice(attempts, len(runs)), strict=True))
        for name, runs in wanted.items()
    }
    return [_with_runs(entry, found.get(entry.identifier, []), now) for entry in entries]


def _with_runs(
    entry: CronEntry, found: Sequence[tuple[datetime, FirstAttempt | None]], now: datetime
) -> CronEntry:
    if entry.known_since is None or not found:
        return entry
    known = KnownCrontab(entry.identifier, entry.known_since, entry.last_run)
    runs, recorded = [at for at, _ in found], [attempt for _, attempt in found]
    last = cron_runs(runs, known, recorded, paused_at=entry.paused_at, now=now)
    return replace(entry, last_runs=last)


def _entry(
    name: str,
    crontab: Crontab | None,
    known: KnownCrontab | None,
    *,
    paused_at: datetime | None,
    workers: int,
    now: datetime,
) -> CronEntry:
    next_runs = [] if crontab is None else list(islice(crontab.runs(now), 3))
    return CronEntry(
        identifier=name,
        task=None if crontab is None else crontab.task,
        expression=None if crontab is None else str(crontab.expression),
        in_words=None if crontab is None else f"{in_words(crontab.expression)}, {crontab.timezone}",
        timezone=None if crontab is None else crontab.timezone,
        line=None if crontab is None else str(crontab).partition(" {")[0],
        options={} if crontab is None else dict(_options(crontab)),
        last_ts=None if known is None or known.last_execution is None else ts(known.last_execution),
        fill_seconds=None if crontab is None else crontab.fill.period.total_seconds(),
        known_since=None if known is None else known.known_since,
        last_run=None if known is None else known.last_execution,
        next_runs=next_runs,
        late_since=_owed(crontab, known, now) if paused_at is None else None,
        paused_at=paused_at,
        last_runs=[],
        workers=workers,
    )


def _options(crontab: Crontab) -> Iterator[tuple[str, str]]:
    if crontab.max_attempts is not None:
        yield "max", str(crontab.max_attempts)
    if crontab.queue is not None:
        yield "queue", crontab.queue
    if crontab.priority is not None:
        yield "priority", str(crontab.priority)
    if crontab.job_key is not None:
        mode = crontab.job_key_mode
        yield "key", f"{crontab.job_key} ({mode.value})" if mode else crontab.job_key
    if crontab.flags:
        yield "flags", ", ".join(crontab.flags)


def _owed(crontab: Crontab | None, known: KnownCrontab | None, now: datetime) -> datetime | None:
    if crontab is None or known is None:
        return None
    start = known.last_execution or known.known_since
    owed = crontab.first_run(start + timedelta(minutes=1))
    return owed if owed is not None and now - owed > LATE_AFTER else None
