"""Find jobs for the admin page and its API, and read them in the order in which they were found."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, first_column, nothing, only_value
from graphile_worker.jobs.fine_state import FineState
from graphile_worker.jobs.stored import aware, flags_of
from graphile_worker.queries.loader import load


class Order(Enum):
    """In which order jobs are found; each has an index that serves it, or says that none does."""

    NEWEST = "admin_by_id"
    NEXT_TO_RUN = "admin_by_priority"
    """Only jobs that are due."""
    NEXT_DUE = "admin_by_run_at"
    """Only jobs that are not due yet."""
    NEXT_RETRY = "admin_by_retry"
    """Only jobs that are tried again; reads the whole table, unless it is told which may be."""
    LONGEST_LOCKED = "admin_by_lock"
    """Only locked jobs; so does this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time, or seconds from now on the database's clock; neither is no limit."""

    at: datetime | None = None
    seconds: float | None = None


ANY_TIME = Moment()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs to find; None is any."""

    state: str = "all"
    """One of `SELECTABLE`."""
    task: str | None = None
    queue: str | None = None
    key: str | None = None
    newest_id: int | None = None
    """No jobs after this one."""
    key_prefix: str | None = None
    error: str | None = None
    payload_text: str | None = None
    payload_path: tuple[str, ...] | None = None
    payload_value: str | None = None
    """JSON that stands at the path."""
    worker: str | None = None
    flag: str | None = None
    min_attempts: int | None = None
    max_attempts: int | None = None
    created_from: Moment = ANY_TIME
    created_to: Moment = ANY_TIME
    run_from: Moment = ANY_TIME
    run_to: Moment = ANY_TIME
    fingerprint: str | None = None
    """The digest of a kind of errors."""
    search: str | None = None
    """Text anywhere in id, key, task, queue, owner, error or payload."""


@dataclass(frozen=True, slots=True)
class Place:
    """A job's place in an order."""

    id: int
    priority: int | None = None
    at: str | None = None
    """The time that the order goes by, as PostgreSQL writes it, infinity included."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found."""

    places: list[Place]
    searched: int
    """How many jobs were looked at."""
    matched: int
    """How many of them match; at least as many as there are places."""
    last: Place | None
    """Where the search ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """What is known of workers, where the state of a job depends on it."""

    dead: list[str]
    """Owners of locks that are known to be gone."""
    claimed: list[str] | None
    """The tasks that live workers know; None when that is not known of all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job as the admin page shows it, read at `as_of`; texts may be cut."""

    id: int
    task: str
    queue: str | None
    state: FineState
    priority: int
    run_at: datetime
    attempts: int
    max_attempts: int
    key: str | None
    revision: int
    flags: list[str]
    created_at: datetime
    updated_at: datetime
    locked_at: datetime | None
    locked_by: str | None
    error: str | None
    error_length: int | None
    """Characters of the whole error."""
    payload: str | None
    """JSON text, or the beginning of it; None when it was not asked for or is too big."""
    payload_bytes: int
    """What the payload takes in the table, where it may be compressed."""
    failed_at: datetime | None
    """When it last failed, worked out from the delay that was added then."""
    queue_locked_at: datetime | None
    queue_locked_by: str | None
    as_of: datetime


def find_jobs(
    schema: Schema,
    order: Order,
    wanted: Wanted,
    workers: Workers,
    *,
    limit: int,
    scope: int,
    after: Place | None = None,
    among: Sequence[int] | None = None,
) -> Statement[Found]:
    """Search the next `scope` jobs of a state, in an order, for at most `limit` that match.

    `among` are the only jobs that are looked at, where the order has no index; None for all.
    """
    moments = (wanted.created_from, wanted.created_to, wanted.run_from, wanted.run_to)
    args: tuple[Any, ...] = (
        wanted.state,
        workers.dead,
        workers.claimed,
        wanted.task,
        wanted.queue,
        wanted.key,
        wanted.newest_id,
        wanted.key_prefix,
        wanted.error,
        wanted.payload_text,
        None if wanted.payload_path is None else list(wanted.payload_path),
        wanted.payload_value,
        wanted.worker,
        wanted.flag,
        wanted.min_attempts,
        wanted.max_attempts,
        *(value for moment in moments for value in (moment.at, moment.seconds)),
        wanted.fingerprint,
        wanted.search,
        limit,
        scope,
        None if after is None else after.id,
        None if after is None else after.priority,
        None if after is None else after.at,
    )
    ids = None if among is None else list(among)
    match order:
        case Order.NEWEST:  # they come by id alone
            args = (*args[:29], ids)
        case Order.NEXT_RETRY | Order.LONGEST_LOCKED:
            args = (*args, ids)
        case _:
            pass
    return Statement(order.value, whole(order.value, schema), args, _found)


def job_rows(
    schema: Schema,
    ids: Sequence[int],
    workers: Workers,
    *,
    payload_chars: int = 0,
    biggest_payload: int = 65_536,
    error_chars: int = 2_000,
) -> Statement[list[JobRow]]:
    """Read jobs in the order of their ids; those that are gone are left out."""
    args = (list(ids), workers.dead, workers.claimed, payload_chars, biggest_payload, error_chars)
    return Statement("admin_rows", load("admin_rows", schema), args, _job_rows)


def newest_id(schema: Schema) -> Statement[int | None]:
    """The id of the newest job; None when there are no jobs."""
    return Statement("admin_newest_id", load("admin_newest_id", schema), (), only_value)


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """A payload, or the beginning of it, as it is stored."""

    task: str
    text: str
    length: int
    """Characters of the whole."""


def payload_text(schema: Schema, job_id: int, chars: int) -> Statement[StoredPayload | None]:
    """The first characters of a payload; None when there is no such job."""
    args = (job_id, chars)
    return Statement("admin_payload", load("admin_payload", schema), args, _payload)


@dataclass(frozen=True, slots=True)
class Lock:
    """Who holds a job."""

    job_id: int
    locked_by: str | None
    locked_at: datetime | None


def locks_of(schema: Schema, ids: Sequence[int]) -> Statement[list[Lock]]:
    """Who holds these jobs; those that are gone are left out."""
    return Statement("admin_locks_of", load("admin_locks_of", schema), (list(ids),), _locks)


def take_free(schema: Schema, ids: Sequence[int]) -> Statement[list[int]]:
    """Lock those of the jobs that no other transaction has locked; waits for none."""
    return Statement("admin_take_free", load("admin_take_free", schema), (list(ids),), first_column)


def wake_workers(schema: Schema, jobs: int) -> Statement[None]:
    """Tell workers that so many jobs became due."""
    return Statement("admin_wake_workers", load("admin_wake_workers", schema), (jobs,), nothing)


def ids_of_names(
    schema: Schema, tasks: Sequence[str], queues: Sequence[str]
) -> Statement[dict[tuple[str, str], int]]:
    """The ids of tasks and queues, by `("task", identifier)` and `("queue", name)`."""
    args = (list(tasks), list(queues))
    return Statement("admin_ids_of_names", load("admin_ids_of_names", schema), args, _ids_by_name)


_PARTS: Final = ("priorities", "found_by_time", "matches", "in_state", "fingerprint")
"""Files `admin_….sql` that are parts of others; one that holds another comes before it."""


@lru_cache(maxsize=256)
def whole(name: str, schema: Schema) -> str:
    """A statement with its parts put in: they are shared, and as static as the rest."""
    text = load(name, schema)
    for part in _PARTS:
        text = text.replace(f":{part.upper()}", load(f"admin_{part}", schema))
    return text


def _found(rows: Sequence[Row]) -> Found:
    searched, matched, last_id, last_priority, last_at = tuple(rows[0])[:5]
    return Found(
        places=[Place(*tuple(row)[5:]) for row in rows if row[5] is not None],
        searched=searched,
        matched=matched,
        last=None if last_id is None else Place(last_id, last_priority, last_at),
    )


_TIMES = ("run_at", "created_at", "updated_at", "locked_at", "failed_at", "queue_locked_at")
_COLUMNS = (
    *("id", "task", "queue", "priority", "run_at", "attempts", "max_attempts", "key", "revision"),
    *("flags", "created_at", "updated_at", "locked_at", "locked_by", "error", "error_length"),
    *("payload", "payload_bytes", "state", "failed_at", "queue_locked_at", "queue_locked_by"),
    "as_of",
)
assert set(_COLUMNS) == {field.name for field in dataclasses.fields(JobRow)}  # noqa: S101


def _job_rows(rows: Sequence[Row]) -> list[JobRow]:
    return [_job_row(row) for row in rows]


def _job_row(row: Row) -> JobRow:
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    for name in _TIMES:
        if values[name] is not None:
            values[name] = aware(values[name])
    values["flags"] = sorted(flags_of(values["flags"]))
    values["state"] = FineState(values["state"])
    return JobRow(**values)


def _payload(rows: Sequence[Row]) -> StoredPayload | None:
    return StoredPayload(*rows[0]) if rows else None


def _locks(rows: Sequence[Row]) -> list[Lock]:
    return [Lock(job_id, locked_by, locked_at) for job_id, locked_by, locked_at in rows]


def _ids_by_name(rows: Sequence[Row]) -> dict[tuple[str, str], int]:
    return {(kind, name): id_ for kind, id_, name in rows}
