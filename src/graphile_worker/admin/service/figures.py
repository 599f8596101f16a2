"""All figures of one moment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from graphile_worker.admin.service.fleet import FleetMember, handled, known_workers, members
from graphile_worker.admin.service.groups import (
    Counts,
    QueueCounts,
    TaskCounts,
    by_queue,
    by_task,
    counts,
    narrowed,
    owners,
)
from graphile_worker.queries.admin_jobs import Workers
from graphile_worker.queries.admin_samples import JobGroup, QueueLock
from graphile_worker.queries.overview import ActiveWorker


@dataclass(frozen=True)
class Figures:
    """Jobs, queues and workers, read in one transaction; what is shown is worked out from them.

    Attributes:
        groups: all jobs, counted.
        locks: the queues; at most `MOST_QUEUES`, those that are held before others.
        registered: workers that send heartbeats.
        known: identifiers of tasks, with jobs or not; at most `MOST_TASKS`.
    """

    groups: list[JobGroup]
    locks: list[QueueLock]
    registered: list[ActiveWorker]
    known: list[str]

    @cached_property
    def fleet(self) -> list[FleetMember]:
        """Every worker that is known of."""
        return members(self.registered, owners(self.groups, self.locks))

    @cached_property
    def workers(self) -> Workers:
        """What the states of jobs depend on."""
        return known_workers(self.fleet)

    @cached_property
    def counts(self) -> Counts:
        """All jobs by state."""
        return counts(self.groups, self.workers)

    def counts_of(self, *, task: str | None = None, queue: str | None = None) -> Counts:
        """The jobs of a task, of a queue, or of a task in a queue."""
        return counts(narrowed(self.groups, task=task, queue=queue), self.workers)

    @cached_property
    def tasks(self) -> list[TaskCounts]:
        """By task; those with the most waiting jobs first."""
        return by_task(self.groups, self.workers, self.known, handled(self.fleet))

    @cached_property
    def queues(self) -> list[QueueCounts]:
        """By queue; the jobs without a queue first."""
        return by_queue(self.groups, self.workers, self.locks)
