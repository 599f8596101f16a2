"""What needs somebody's attention, in words, the most urgent first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from graphile_worker.admin.pages import words
from graphile_worker.admin.service.crons import CronEntry
from graphile_worker.admin.service.failures import FailureKind
from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.groups import QueueCounts
from graphile_worker.admin.service.health import Health
from graphile_worker.queries.admin_samples import Pulse

OLDEST_READY: Final = timedelta(seconds=60)
"""Jobs that have been due for longer are worth a word."""
QUEUE_HELD: Final = timedelta(minutes=10)
GROWN: Final = 10
"""A kind of failure is news when it grew by so many within the last hour, and by half."""
DEAD_ROWS: Final = 100_000
DEAD_SHARE: Final = 5
BUSY: Final = 0.10
"""Of one connection. Each reading keeps to half of it; the first ones also wait for connections."""


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing.

    Attributes:
        what: the words that lead to it.
        rest: the rest of the sentence.
        path: where it is seen, in the application.
        query: of its address.
    """

    what: str
    rest: str
    path: tuple[str, ...]
    query: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that is looked at; None where nothing is known."""

    now: datetime
    figures: Figures | None = None
    pulse: Pulse | None = None
    failures: Sequence[FailureKind] = ()
    crons: Sequence[CronEntry] = ()
    health: Health | None = None
    busy: float = 0.0
    """The share of one connection that samples take."""


def attention(known: Known) -> list[Attention]:
    """Everything that is out of order."""
    found: list[Attention] = []
    if known.figures is not None:
        found += [*_workers(known.figures), *_jobs(known.figures, known.now)]
        found += _queues(known.figures, known.now)
    if known.pulse is not None:
        found += _waiting(known.pulse, known.now)
    found += [*_failures(known.failures), *_crons(known.crons, known.now)]
    if known.health is not None:
        found += _health(known.health)
    if known.busy > BUSY:
        share = f": {words.percent(known.busy)} % of one connection"
        found.append(Attention("Looking at this queue is dear", share, ("health",), {}))
    return found


def _workers(figures: Figures) -> Iterator[Attention]:
    if not any(member.state != "stale" for member in figures.fleet) and figures.counts.of(
        "waiting"
    ):
        jobs = words.plural(figures.counts.of("waiting"), "job")
        yield Attention("No worker was seen", f" while {jobs} wait", ("workers",), {})
    for row in figures.tasks:
        if row.counts.unclaimed:
            yield Attention(
                f"{words.plural(row.counts.unclaimed, 'ready job')} for {row.task}",
                ": no live worker handles this task",
                ("jobs",),
                {"state": "unclaimed", "task": row.task},
            )
    for member in figures.fleet:
        if member.state == "stale" and member.jobs:
            yield Attention(
                f"Worker {member.worker_id}",
                f" is silent and still holds {words.plural(member.jobs, 'job')}",
                ("workers",),
                {},
            )


def _jobs(figures: Figures, now: datetime) -> Iterator[Attention]:
    if stuck := figures.counts.stuck:
        since = figures.counts.longest_run_since
        oldest = (
            ""
            if since is None
            else f", the longest for {words.span((now - since).total_seconds())}"
        )
        yield Attention(
            words.plural(stuck, "job") + " stuck",
            f": held by workers that are gone, or for four hours{oldest}",
            ("jobs",),
            {"state": "stuck"},
        )


def _queues(figures: Figures, now: datetime) -> Iterator[Attention]:
    for row in figures.queues:
        if row.queue is None or row.locked_at is None:
            continue
        waiting = row.counts.of("waiting")
        what = f"Queue {row.queue}"
        if row.state in {"paused", "resuming"}:
            yield Attention(what, f" is {row.state}, {_wait(waiting)}", ("queues", row.queue), {})
        elif is_held(row, now) and waiting:
            held = words.span((now - row.locked_at).total_seconds())
            yield Attention(
                what, f" is held for {held}, {_wait(waiting)}", ("queues", row.queue), {}
            )


def _wait(count: int) -> str:
    return f"{words.plural(count, 'job')} {'waits' if count == 1 else 'wait'}"


def _waiting(pulse: Pulse, now: datetime) -> Iterator[Attention]:
    if pulse.oldest_run_at is not None and now - pulse.oldest_run_at > OLDEST_READY:
        age = words.span((now - pulse.oldest_run_at).total_seconds())
        yield Attention(f"The oldest ready job is {age} late", "", ("jobs",), {"state": "waiting"})
    if pulse.rows_are_hidden:
        rest = ": all numbers here are too low"
        yield Attention("Row level security hides jobs from this role", rest, ("health",), {})


def _failures(kinds: Sequence[FailureKind]) -> Iterator[Attention]:
    for kind in kinds:
        lately, before = kind.by_hour[-1], kind.failed + kind.retrying - kind.by_hour[-1]
        if lately >= GROWN and lately * 2 >= before:
            yield Attention(
                f"{words.number(lately)} new failures of {kind.task}",
                f" within the hour: “{words.first_line(kind.title, 80)}”",
                ("jobs",),
                {"task": kind.task, "fingerprint": kind.fingerprint},
            )


def _crons(entries: Sequence[CronEntry], now: datetime) -> Iterator[Attention]:
    for entry in entries:
        if entry.late_since is not None:
            late = words.span((now - entry.late_since).total_seconds())
            yield Attention(f"Cron entry {entry.identifier}", f" is {late} late", ("cron",), {})


def _health(health: Health) -> Iterator[Attention]:
    if health.migrations_pending:
        yield Attention("Migrations are pending", "", ("health",), {})
    for table in health.tables:
        live, dead = table.live_rows or 0, table.dead_rows or 0
        if dead > DEAD_ROWS and dead > DEAD_SHARE * live:
            rest = f": {words.number(dead)} dead rows beside {words.number(live)}"
            yield Attention(f"Autovacuum is behind on {table.name}", rest, ("health",), {})


def is_held(row: QueueCounts, now: datetime) -> bool:
    """Whether a queue is locked for so long that somebody should look; a pause is no lock."""
    locked = row.locked_at is not None and row.state in {"busy", "held"}
    return locked and row.locked_at is not None and now - row.locked_at > QUEUE_HELD
