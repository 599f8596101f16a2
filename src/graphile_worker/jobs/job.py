"""A job as PostgreSQL holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any


class JobState(Enum):
    """Where a job stands; worked out by the database, on its clock, when the row was read."""

    READY = "ready"
    SCHEDULED = "scheduled"
    LOCKED = "locked"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A row of the jobs table with the names of its task and queue; a snapshot, never live.

    `payload` is the stored JSON as Python values; whole numbers of any size stay exact.
    """

    id: int
    task_identifier: str
    queue_name: str | None
    payload: Any
    priority: int
    run_at: datetime
    attempts: int
    """How often it was started; the current run included."""
    max_attempts: int
    last_error: str | None
    key: str | None
    revision: int
    """How often a job with this key was added again."""
    flags: frozenset[str]
    created_at: datetime
    updated_at: datetime
    locked_at: datetime | None
    locked_by: str | None
    """The id of the worker that holds it."""
    state: JobState


def aware(moment: datetime) -> datetime:
    """A `timestamptz` of any driver; asyncpg tells -infinity and infinity without a time zone."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
