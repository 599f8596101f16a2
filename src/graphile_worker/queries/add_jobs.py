"""Add one job or many, through the schema's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import UNSET, JobKeyMode, JobSpec, given
from graphile_worker.queries.loader import load
from graphile_worker.queries.rows import first_job_of


def add_job(schema: Schema, job: NewJob) -> Statement[Job | None]:
    """Add one job. None: nothing was stored, the key's job was being claimed (Node's function)."""
    spec = job.spec
    mode = given(spec.job_key_mode)
    args = (
        job.identifier,
        job.payload,
        given(spec.queue_name),
        *_run_at(spec),
        given(spec.max_attempts),
        given(spec.job_key),
        given(spec.priority),
        _flags(spec),
        None if mode is None else mode.value,
    )
    return Statement("add_job", load("add_job", schema), args, first_job_of)


def add_jobs(
    schema: Schema, jobs: Sequence[NewJob], *, preserve_run_at: bool
) -> Statement[Sequence[Row]]:
    """Add many jobs in one call; no two with the same key, none with `UNSAFE_DEDUPE`.

    Returns:
        The rows, in no particular order, with ids of tasks and queues in place of their names, and
        the database's now as a last column.
    """
    run_ats = [_run_at(job.spec) for job in jobs]
    args = (
        [job.identifier for job in jobs],
        [job.payload for job in jobs],
        [given(job.spec.queue_name) for job in jobs],
        [run_at for run_at, _ in run_ats],
        [delay for _, delay in run_ats],
        [given(job.spec.max_attempts) for job in jobs],
        [given(job.spec.job_key) for job in jobs],
        [given(job.spec.priority) for job in jobs],
        [_flags_literal(job.spec) for job in jobs],
        preserve_run_at,
    )
    return Statement("add_jobs", load("add_jobs", schema), args, _rows)


def names(
    schema: Schema, *, task_ids: list[int], queue_ids: list[int]
) -> Statement[dict[tuple[str, int], str]]:
    """The names of tasks and queues by `("task", id)` and `("queue", id)`."""
    return Statement("names", load("names", schema), (task_ids, queue_ids), _names)


def preserves_run_at(spec: JobSpec) -> bool:
    """Whether a job goes to the database with the flag `job_key_preserve_run_at`."""
    return given(spec.job_key_mode) is JobKeyMode.PRESERVE_RUN_AT


def _rows(rows: Sequence[Row]) -> Sequence[Row]:
    return rows


def _names(rows: Sequence[Row]) -> dict[tuple[str, int], str]:
    return {(row[0], row[1]): row[2] for row in rows}


def _run_at(spec: JobSpec) -> tuple[datetime | None, float | None]:
    """A moment, or seconds from the database's now.

    Seconds, not an interval: days of an interval are calendar days of the session's time zone.
    """
    run_at = None if spec.run_at is UNSET else spec.run_at
    if isinstance(run_at, timedelta):
        return None, run_at.total_seconds()
    return run_at, None


def _flags(spec: JobSpec) -> list[str] | None:
    flags = given(spec.flags)
    return None if flags is None else list(flags)


def _flags_literal(spec: JobSpec) -> str | None:
    """Flags as the text of a PostgreSQL array: arrays of arrays would have to be rectangular."""
    flags = _flags(spec)
    if flags is None:
        return None
    quoted = (flag.replace("\\", "\\\\").replace('"', '\\"') for flag in flags)
    return "{" + ",".join(f'"{flag}"' for flag in quoted) + "}"
