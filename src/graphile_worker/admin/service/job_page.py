"""Pages of jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.errors import ConfigurationError
from graphile_worker.queries.admin_jobs import Found, JobRow, Place

MOST_ROWS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Jobs in the order of their state, and where to go on."""

    rows: list[JobRow]
    next: str | None
    """The place to go on from; None at the end. With fewer rows than asked for, the search was
    broken off there."""
    searched: int | None
    """How many jobs were looked at; None where an index found them."""
    matched: int | None
    """How many of those match, at least as many as there are rows."""
    is_complete: bool
    """Whether these are all that match."""
    seconds: float
    """What the search took."""
    at: datetime
    age: float | None = None
    """Seconds for which the list may lack who came into it; None where it lacks nobody."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs match.

    Attributes:
        jobs: the number.
        is_exact: False where only a part was searched: then it is at least so many.
        at: when they were counted.
    """

    jobs: int
    is_exact: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an action on all jobs of a filter would touch."""

    jobs: int
    """How many jobs match now."""
    is_exact: bool
    """False: at least so many; not all were searched."""
    newest_id: int | None
    """Goes into the operation: jobs that are added later are no part of it."""
    sample: list[JobRow]
    """Some of them."""
    at: datetime


def checked_limit(limit: int) -> int:
    """How many rows a page may have.

    Raises:
        ConfigurationError: none, or more than 200.
    """
    if not 1 <= limit <= MOST_ROWS:
        raise ConfigurationError(f"limit must be between 1 and {MOST_ROWS}, got {limit}")
    return limit


def next_place(found: Found, limit: int, scope: int) -> Place | None:
    """Where the next page begins: after the last row, or where the search was broken off."""
    if found.matched > limit:
        return found.places[-1]
    return found.last if found.searched >= scope else None


def shown_rows(rows: Iterable[JobRow], redactor: Redactor, *, chars: int | None) -> list[JobRow]:
    """The rows without secrets, their payloads cut."""
    return [shown_row(row, redactor, chars=chars) for row in rows]


def shown_row(row: JobRow, redactor: Redactor, *, chars: int | None) -> JobRow:
    """A row without secrets, its payload cut after so many characters."""
    return dataclasses.replace(
        row,
        error=None if row.error is None else redactor.error(row.error).text,
        payload=None if row.payload is None else redactor.json(row.payload, chars=chars).text,
    )


def without_big_payload(row: JobRow, chars: int) -> JobRow:
    """The row without a payload of which only the beginning was read."""
    if row.payload is None or len(row.payload) < chars:
        return row
    return dataclasses.replace(row, payload=None)
