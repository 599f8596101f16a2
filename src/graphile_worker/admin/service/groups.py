"""From counted groups of jobs to what the screens show: by state, by task, by queue, by owner."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from graphile_worker.jobs.fine_state import FineState
from graphile_worker.queries.admin_jobs import Workers
from graphile_worker.queries.admin_samples import JobGroup, QueueLock


@dataclass(slots=True, kw_only=True)
class Counts:
    """How many jobs are in each state; every job in one."""

    ready: int = 0
    blocked: int = 0
    unclaimed: int = 0
    running: int = 0
    stuck: int = 0
    retrying: int = 0
    scheduled: int = 0
    failed: int = 0
    due_soon: int = 0
    """Scheduled or retrying within the next hour."""
    failed_lately: int = 0
    """Failed for good within the last hour."""
    oldest_ready_at: datetime | None = None
    """Since when the job that waits longest is due, blocked and unclaimed ones included."""
    next_retry_at: datetime | None = None
    next_scheduled_at: datetime | None = None
    longest_run_since: datetime | None = None

    @property
    def total(self) -> int:
        """All jobs."""
        return sum(getattr(self, state.value) for state in FineState)

    def of(self, state: str) -> int:
        """The count of a state that can be selected."""
        together = {
            "all": tuple(state.value for state in FineState),
            "locked": ("running", "stuck"),
            "waiting": ("ready", "blocked", "unclaimed"),
            "later": ("scheduled", "retrying"),
        }
        return sum(getattr(self, name) for name in together.get(state, (state,)))

    def add(self, group: JobGroup, workers: Workers) -> None:
        """Count a group in."""
        for state, jobs in _states(group, workers):
            setattr(self, state.value, getattr(self, state.value) + jobs)
        match group.state:
            case "ready":
                self.oldest_ready_at = _earlier(self.oldest_ready_at, group.first_run_at)
            case "retrying":
                self.next_retry_at = _earlier(self.next_retry_at, group.first_run_at)
                self.due_soon += group.soon
            case "scheduled":
                self.next_scheduled_at = _earlier(self.next_scheduled_at, group.first_run_at)
                self.due_soon += group.soon
            case "locked":
                self.longest_run_since = _earlier(self.longest_run_since, group.first_locked_at)
            case _:
                self.failed_lately += group.recent


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCounts:
    """The jobs of a task."""

    task: str
    counts: Counts
    workers: int | None
    """Live workers that know it; None when not all of them tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """The jobs of a queue; None for those without one, which run in parallel."""

    queue: str | None
    counts: Counts
    locked_at: datetime | None = None
    locked_by: str | None = None

    @property
    def state(self) -> str:
        """`free`, `busy` (one of its jobs runs), `held` (none does), `paused` or `resuming`."""
        if self.locked_at is None:
            return "free"
        for state in ("paused", "resuming"):
            if (self.locked_by or "").startswith(f"{state}:"):
                return state
        return "busy" if self.counts.running or self.counts.stuck else "held"


@dataclass(slots=True, kw_only=True)
class Owner:
    """Who holds locks."""

    worker_id: str
    jobs: int = 0
    queues: set[str] = field(default_factory=set[str])
    since: datetime | None = None


def counts(groups: Iterable[JobGroup], workers: Workers) -> Counts:
    """All of the groups together."""
    total = Counts()
    for group in groups:
        total.add(group, workers)
    return total


def by_task(
    groups: Iterable[JobGroup],
    workers: Workers,
    known: Iterable[str] = (),
    handled: Mapping[str, int] | None = None,
) -> list[TaskCounts]:
    """By task; those with the most jobs that wait first.

    Args:
        groups: the jobs.
        workers: what is known of workers.
        known: tasks to name also where they have no jobs.
        handled: how many live workers know each task; None when not all of them tell.
    """
    found: dict[str, Counts] = {name: Counts() for name in known}
    for group in groups:
        found.setdefault(group.task, Counts()).add(group, workers)
    rows = [
        TaskCounts(
            task=task, counts=sums, workers=None if handled is None else handled.get(task, 0)
        )
        for task, sums in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.counts.of("waiting"), -row.counts.total, row.task))


def by_queue(
    groups: Iterable[JobGroup], workers: Workers, locks: Sequence[QueueLock]
) -> list[QueueCounts]:
    """By queue, by name, and those without a queue first."""
    found: dict[str | None, Counts] = {None: Counts(), **{lock.queue: Counts() for lock in locks}}
    by_name = {lock.queue: lock for lock in locks}
    for group in groups:
        found.setdefault(group.queue, Counts()).add(group, workers)
        if group.queue is not None and group.queue not in by_name:  # there are too many to read all
            by_name[group.queue] = QueueLock(
                group.queue, group.queue_locked_at, group.queue_locked_by
            )
    rows: list[QueueCounts] = []
    for queue, sums in found.items():
        lock = None if queue is None else by_name.get(queue)
        rows.append(
            QueueCounts(
                queue=queue,
                counts=sums,
                locked_at=None if lock is None else lock.locked_at,
                locked_by=None if lock is None else lock.locked_by,
            )
        )
    return sorted(rows, key=lambda row: (row.queue is not None, row.queue or ""))


def owners(groups: Iterable[JobGroup], locks: Iterable[QueueLock]) -> list[Owner]:
    """Who holds locks of jobs or of queues, by id."""
    found: dict[str, Owner] = {}
    for group in groups:
        if group.locked_by is not None:
            owner = found.setdefault(group.locked_by, Owner(worker_id=group.locked_by))
            owner.jobs += group.jobs
            owner.since = _earlier(owner.since, group.first_locked_at)
    for lock in locks:
        if lock.locked_by is not None:
            owner = found.setdefault(lock.locked_by, Owner(worker_id=lock.locked_by))
            owner.queues.add(lock.queue)
            owner.since = _earlier(owner.since, lock.locked_at)
    return sorted(found.values(), key=lambda owner: owner.worker_id)


def narrowed(
    groups: Iterable[JobGroup], *, task: str | None = None, queue: str | None = None
) -> list[JobGroup]:
    """Only the groups of a task or a queue."""
    return [
        group
        for group in groups
        if (task is None or group.task == task) and (queue is None or group.queue == queue)
    ]


def _states(group: JobGroup, workers: Workers) -> Iterator[tuple[FineState, int]]:
    """What a coarse group is made of; agrees with `admin_rows.sql`."""
    match group.state:
        case "locked":
            is_dead = group.locked_by in workers.dead
            stuck = group.jobs if is_dead else group.old_locks
            yield FineState.STUCK, stuck
            yield FineState.RUNNING, group.jobs - stuck
        case "ready" if group.queue_locked_at is not None:
            yield FineState.BLOCKED, group.jobs
        case "ready":
            is_claimed = workers.claimed is None or group.task in workers.claimed
            unclaimed = 0 if is_claimed else group.overdue
            yield FineState.UNCLAIMED, unclaimed
            yield FineState.READY, group.jobs - unclaimed
        case state:
            yield FineState(state), group.jobs


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)


def as_dict(sums: Counts) -> dict[str, object]:
    """All counts by name, with the total."""
    return {**dataclasses.asdict(sums), "total": sums.total}
