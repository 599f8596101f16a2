"""Changing jobs by hand: those that no worker holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from graphile_worker.client.setup import Setup
from graphile_worker.database.operation import Operation, ask
from graphile_worker.database.statement import Statement
from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.spec import SMALLINT, JobSpec, RunAt
from graphile_worker.queries import manage_jobs as queries
from graphile_worker.queries.pauses import NOBODYS

JobOrId: TypeAlias = Job | int
"""A job, or its id."""

_BIGINT: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedJobs:
    """What became of the jobs that a call was to change, each in the order given."""

    changed: list[Job]
    """As they are now; completed ones as they were."""
    skipped: list[int]
    """Held by a worker, and left alone."""
    missing: list[int]
    """There are no such jobs: done, removed, or never there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What `reschedule_jobs` is to change; None leaves a column as it is.

    Raises:
        ConfigurationError: a value the database would refuse, a naive datetime, or nothing at all.
    """

    run_at: RunAt | None
    priority: int | None
    attempts: int | None
    max_attempts: int | None

    def __post_init__(self) -> None:
        # What a spec refuses is refused here too.
        JobSpec(run_at=self.run_at, priority=self.priority, max_attempts=self.max_attempts)
        values = (self.run_at, self.priority, self.attempts, self.max_attempts)
        if all(value is None for value in values):
            raise ConfigurationError(
                "reschedule_jobs needs at least one of run_at, priority, attempts, max_attempts"
            )
        if self.attempts is None:
            return
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int):
            raise ConfigurationError(f"attempts must be a whole number, got {self.attempts!r}")
        if not 0 <= self.attempts < SMALLINT.stop:
            raise ConfigurationError(
                f"attempts must be between 0 and {SMALLINT.stop - 1}, got {self.attempts}"
            )


def remove(setup: Setup, key: str) -> Operation[Job | None]:
    """Remove the job with this key."""
    return ask(queries.remove_job(setup.schema, checked_text("a job key", key)))


def complete(setup: Setup, jobs: Iterable[JobOrId]) -> Operation[ChangedJobs]:
    """Delete jobs, as if they had run well."""
    return _change(setup, jobs, lambda ids: queries.complete_jobs(setup.schema, ids))


def permanently_fail(
    setup: Setup, jobs: Iterable[JobOrId], reason: str | None
) -> Operation[ChangedJobs]:
    """Let jobs have failed for good."""
    text = None if reason is None else checked_text("reason", reason)
    return _change(
        setup,
        jobs,
        lambda ids: queries.permanently_fail_jobs(setup.schema, ids, reason=text),
    )


def reschedule(setup: Setup, jobs: Iterable[JobOrId], changes: Changes) -> Operation[ChangedJobs]:
    """Change when and how jobs run."""
    return _change(
        setup,
        jobs,
        lambda ids: queries.reschedule_jobs(
            setup.schema,
            ids,
            run_at=changes.run_at,
            priority=changes.priority,
            attempts=changes.attempts,
            max_attempts=changes.max_attempts,
        ),
    )


def force_unlock(setup: Setup, worker_ids: Iterable[str]) -> Operation[None]:
    """Unlock what these owners hold; no owners, no statement."""
    if isinstance(worker_ids, str):
        raise ConfigurationError(
            f"worker_ids must be a collection of ids, got the string {worker_ids!r}; "
            f"write [{worker_ids!r}]"
        )
    ids = [_worker_id(worker_id) for worker_id in worker_ids]
    if ids:
        yield from ask(queries.force_unlock_workers(setup.schema, ids))


def _worker_id(worker_id: object) -> str:
    checked = checked_text("a worker id", worker_id)
    if checked.startswith(NOBODYS):
        raise ConfigurationError(
            f"{checked!r} is no worker but a paused queue; resume_queue lets it go on"
        )
    return checked


def is_storable(job_id: int) -> bool:
    """Whether a job could have this id; PostgreSQL would refuse to be asked for another."""
    return job_id in _BIGINT


def checked_text(name: str, value: object) -> str:
    """A text that PostgreSQL can hold.

    Raises:
        ConfigurationError: it cannot, or it is no text.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string, got {value!r}")
    if "\0" in value:
        raise ConfigurationError(f"{name} must not contain a NUL character, got {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} holds a lone surrogate, got {value!r}") from None
    return value


def _change(
    setup: Setup, jobs: Iterable[JobOrId], statement: Callable[[list[int]], Statement[list[Job]]]
) -> Operation[ChangedJobs]:
    """Change what can be changed, then tell the others apart; no jobs, no statement."""
    wanted = list(dict.fromkeys(map(_id, jobs)))
    ids = [job_id for job_id in wanted if is_storable(job_id)]
    changed: dict[int, Job] = {}
    if ids:
        changed = {job.id: job for job in (yield from ask(statement(ids)))}
    left = [job_id for job_id in ids if job_id not in changed]
    there: frozenset[int] = frozenset()
    if left:
        there = yield from ask(queries.existing_jobs(setup.schema, left))
    return ChangedJobs(
        changed=[changed[job_id] for job_id in wanted if job_id in changed],
        skipped=[job_id for job_id in left if job_id in there],
        missing=[job_id for job_id in wanted if job_id not in changed and job_id not in there],
    )


def _id(job: Any) -> int:
    if isinstance(job, Job):
        return job.id
    if isinstance(job, bool) or not isinstance(job, int):
        raise ConfigurationError(f"expected a job or the id of one, got {job!r}")
    return job
