"""Rows to values."""

from __future__ import annotations

from collections.abc import Sequence

from graphile_worker.database.statement import Row
from graphile_worker.jobs.job import Job, JobState
from graphile_worker.jobs.stored import aware, flags_of, payload_of


def job_of(row: Row, task_identifier: str | None = None, queue_name: str | None = None) -> Job:
    """A job from the columns all job statements share; names given here win over the row's."""
    return Job(
        id=row[0],
        task_identifier=row[1] if task_identifier is None else task_identifier,
        queue_name=row[2] if task_identifier is None else queue_name,
        payload=payload_of(row[3]),
        priority=row[4],
        run_at=aware(row[5]),
        attempts=row[6],
        max_attempts=row[7],
        last_error=row[8],
        key=row[9],
        revision=row[10],
        flags=flags_of(row[11]),
        created_at=row[12],
        updated_at=row[13],
        locked_at=row[14],
        locked_by=row[15],
        state=JobState(row[16]),
    )


def jobs_of(rows: Sequence[Row]) -> list[Job]:
    """All rows as jobs."""
    return [job_of(row) for row in rows]


def first_job_of(rows: Sequence[Row]) -> Job | None:
    """The one row, or None when there is none or it is all nulls."""
    return job_of(rows[0]) if rows and rows[0][0] is not None else None
