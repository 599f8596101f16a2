"""Look at jobs and change them by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement
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


def remove_job(schema: Schema, key: str) -> Statement[Job | None]:
    """Remove the job with this key, or keep it from being retried if it is running."""
    return Statement("remove_job", load("remove_job", schema), (key,), first_job_of)


def get_job(schema: Schema, job_id: int) -> Statement[Job | None]:
    """One job by its id."""
    return Statement("get_job", load("get_job", schema), (job_id,), first_job_of)


def list_jobs(
    schema: Schema,
    *,
    state: str,
    identifier: str | None,
    queue: str | None,
    search: str | None,
    limit: int | None,
    offset: int,
) -> Statement[list[Job]]:
    """Jobs by id, filtered; `state` is `all` or the value of a `JobState`."""
    args = (identifier, queue, search, state, limit, offset)
    return Statement("list_jobs", load("list_jobs", schema), args, jobs_of)


def stats(schema: Schema) -> Statement[Stats]:
    """Counts by state."""
    return Statement("stats", load("stats", schema), (), _stats)


def _stats(rows: Sequence[Row]) -> Stats:
    total, ready, scheduled, locked, failed = rows[0]
    return Stats(total=total, ready=ready, scheduled=scheduled, locked=locked, failed=failed)
