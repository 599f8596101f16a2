"""Looking at jobs, queues and workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from graphile_worker.client.operations.changing import checked_text, is_storable
from graphile_worker.client.setup import Setup
from graphile_worker.database.operation import Operation, ask
from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.job import Job, JobState
from graphile_worker.payloads.shapes import is_list, is_mapping
from graphile_worker.queries import manage_jobs, overview
from graphile_worker.queries.manage_jobs import JobFilter
from graphile_worker.queries.overview import ActiveWorker
from graphile_worker.runtime.duration import Duration, duration

STALE_AFTER: Final = timedelta(minutes=5)
"""How long a worker may be silent before it counts as gone; sweeps start from the same."""

STATES: Final = (
    "all",
    *(state.value for state in JobState),
    "running",
    "stuck",
    "retrying",
    "blocked",
    "unclaimed",
)
"""What jobs can be filtered by: the four states, and finer ones within them."""

_DEPEND_ON_WORKERS: Final = {"running", "stuck", "unclaimed"}


def job_by_id(setup: Setup, job_id: int) -> Operation[Job | None]:
    """One job."""
    if isinstance(job_id, bool) or not isinstance(job_id, int):
        raise ConfigurationError(f"expected the id of a job, got {job_id!r}")
    if not is_storable(job_id):
        return None
    return (yield from ask(manage_jobs.get_job(setup.schema, job_id)))


def jobs(
    setup: Setup, wanted: JobFilter, *, limit: int | None, offset: int
) -> Operation[list[Job]]:
    """Jobs by id, filtered."""
    limit, offset = _count("limit", limit), _count("offset", offset) or 0
    if wanted.state in _DEPEND_ON_WORKERS:
        wanted = yield from _with_workers(setup, wanted)
    return (yield from ask(manage_jobs.list_jobs(setup.schema, wanted, limit=limit, offset=offset)))


def job_filter(
    state: str | JobState, identifier: str | None, queue: str | None, search: str | None
) -> JobFilter:
    """Which jobs a caller wants to see.

    Raises:
        ConfigurationError: an unknown state, or a text that PostgreSQL cannot hold.
    """
    return JobFilter(
        state=_state(state),
        identifier=None if identifier is None else checked_text("identifier", identifier),
        queue=None if queue is None else checked_text("queue", queue),
        search=None if search is None else checked_text("search", search).strip() or None,
    )


def active_workers(setup: Setup, threshold: Duration) -> Operation[list[ActiveWorker]]:
    """Registered workers; none where the schema has no registry."""
    limit = duration("threshold", threshold)
    if not (yield from ask(overview.has_registry(setup.schema))):
        return []
    return (yield from ask(overview.active_workers(setup.schema, threshold=limit)))


def tasks_of(worker: ActiveWorker) -> list[str] | None:
    """The tasks that a worker says it knows; None when it does not say."""
    metadata = worker.metadata
    tasks = metadata.get("tasks") if is_mapping(metadata) else None
    if not is_list(tasks):
        return None
    return [name for name in tasks if isinstance(name, str)]


def _with_workers(setup: Setup, wanted: JobFilter) -> Operation[JobFilter]:
    """What the finer states need to know of workers; asked for those only."""
    workers = yield from active_workers(setup, STALE_AFTER)
    dead = [worker.worker_id for worker in workers if worker.is_stale]
    if wanted.state != "unclaimed":
        return dataclasses.replace(wanted, dead_owners=dead)
    claimed = yield from _claimed_tasks(setup, workers)
    return dataclasses.replace(wanted, claimed_tasks=claimed)


def _claimed_tasks(setup: Setup, workers: Sequence[ActiveWorker]) -> Operation[list[str] | None]:
    """The tasks of all live workers; None where one does not say, or does not even register."""
    owners = yield from ask(overview.locked_workers(setup.schema))
    if not {owner.worker_id for owner in owners} <= {worker.worker_id for worker in workers}:
        return None
    known = [tasks_of(worker) for worker in workers if not worker.is_stale]
    if any(tasks is None for tasks in known):
        return None
    return [name for tasks in known for name in tasks or ()]


def _state(state: str | JobState) -> str:
    value = state.value if isinstance(state, JobState) else state
    if value not in STATES:
        raise ConfigurationError(f"state must be one of {', '.join(STATES)}, got {state!r}")
    return value


def _count(name: str, value: int | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{name} must be a whole number, got {value!r}")
    if value < 0:
        raise ConfigurationError(f"{name} must be at least 0, got {value}")
    return value
