"""A job as PostgreSQL holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any


class JobState(Enum):
    """Where a job stands; worked out by the database, on its clock, when the row was read."""

    READY = "ready"
    SCHEDULED = "scheduled"
    LOCKED = "locked"
    FAILED = "failed"


class _Late:
    """Works fields out when they are first read: of a job that runs, most readers want its name."""

    __slots__ = ("_claimed",)
    _claimed: Any
    """The `ClaimedJob` that knows them; not set where all fields are."""

    if not TYPE_CHECKING:  # a checker would take it for any name

        def __getattr__(self, name: str) -> Any:
            """The value of a field that is empty, which from now on it holds."""
            if name == "_claimed":
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            value = self._claimed.late(name)
            object.__setattr__(self, name, value)
            return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(_Late):
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
