"""Look at jobs and change them by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, nothing, value_if_any
from graphile_worker.jobs.job import Job
from graphile_worker.queries.loader import load
from graphile_worker.queries.rows import first_job_of, jobs_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How many jobs there are, by state; every job is counted in one state."""

    total: int
    ready: int
    scheduled: int
    locked: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list; None is any."""

    state: str = "all"
    """`all`, the value of a `JobState`, or a finer state."""
    identifier: str | None = None
    queue: str | None = None
    search: str | None = None
    dead_owners: list[str] | None = None
    """For `running` and `stuck`: workers that are known to be gone."""
    claimed_tasks: list[str] | None = None
    """For `unclaimed`: the tasks of all live workers; None when they are not known."""


def remove_job(schema: Schema, key: str) -> Statement[Job | None]:
    """Remove the job with this key, or keep it from being retried if it is running."""
    return Statement("remove_job", load("remove_job", schema), (key,), first_job_of)


def complete_jobs(schema: Schema, ids: list[int]) -> Statement[list[Job]]:
    """Delete jobs that no worker holds; answers with those it deleted."""
    return Statement("complete_jobs", load("complete_jobs", schema), (ids,), jobs_of)


def permanently_fail_jobs(
    schema: Schema, ids: list[int], *, reason: str | None
) -> Statement[list[Job]]:
    """Let jobs that no worker holds have failed for good; answers with those it changed."""
    name = "permanently_fail_jobs"
    return Statement(name, load(name, schema), (ids, reason), jobs_of)


def reschedule_jobs(
    schema: Schema,
    ids: list[int],
    *,
    run_at: datetime | timedelta | None,
    priority: int | None,
    attempts: int | None,
    max_attempts: int | None,
) -> Statement[list[Job]]:
    """Change jobs that no worker holds, where something is given; answers with those it changed."""
    delay = run_at.total_seconds() if isinstance(run_at, timedelta) else None
    moment = None if isinstance(run_at, timedelta) else run_at
    args = (ids, moment, delay, priority, attempts, max_attempts)
    return Statement("reschedule_jobs", load("reschedule_jobs", schema), args, jobs_of)


def existing_jobs(schema: Schema, ids: list[int]) -> Statement[frozenset[int]]:
    """Those of the ids that are ids of jobs."""
    return Statement("existing_jobs", load("existing_jobs", schema), (ids,), _ids)


def force_unlock_workers(schema: Schema, worker_ids: list[str]) -> Statement[None]:
    """Unlock all that these owners hold."""
    name = "force_unlock_workers"
    return Statement(name, load(name, schema), (worker_ids,), nothing)


def get_job(schema: Schema, job_id: int) -> Statement[Job | None]:
    """One job by its id."""
    return Statement("get_job", load("get_job", schema), (job_id,), first_job_of)


def job_with_key(schema: Schema, key: str) -> Statement[int | None]:
    """The id of the job with this key."""
    return Statement("job_with_key", load("job_with_key", schema), (key,), value_if_any)


def list_jobs(
    schema: Schema, wanted: JobFilter, *, limit: int | None, offset: int
) -> Statement[list[Job]]:
    """Jobs by id, filtered: at most `limit`, without the first `offset`."""
    args = (
        wanted.identifier,
        wanted.queue,
        wanted.search,
        wanted.state,
        limit,
        offset,
        wanted.dead_owners,
        wanted.claimed_tasks,
    )
    return Statement("list_jobs", load("list_jobs", schema), args, jobs_of)


def stats(schema: Schema) -> Statement[Stats]:
    """Counts by state."""
    return Statement("stats", load("stats", schema), (), _stats)


def _stats(rows: Sequence[Row]) -> Stats:
    total, ready, scheduled, locked, failed = rows[0]
    return Stats(total=total, ready=ready, scheduled=scheduled, locked=locked, failed=failed)


def _ids(rows: Sequence[Row]) -> frozenset[int]:
    return frozenset(row[0] for row in rows)
