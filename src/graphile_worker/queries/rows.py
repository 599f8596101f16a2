"""Rows to values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from graphile_worker.database.statement import Row
from graphile_worker.errors import PayloadError
from graphile_worker.jobs.job import Job, JobState, aware
from graphile_worker.payloads.codec import from_json

_NO_FLAGS: frozenset[str] = frozenset()
_flags = msgspec.json.Decoder(dict[str, object])


def flags_of(text: str | None) -> frozenset[str]:
    """The names in a stored `flags` object."""
    return _NO_FLAGS if text is None else frozenset(_flags.decode(text))


def payload_of(text: str) -> Any:
    """The stored JSON; its text where Python cannot hold it (nested too deep, endless digits).

    One such job must not hide the others of a list.
    """
    try:
        return from_json(text)
    except PayloadError:
        return text


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
