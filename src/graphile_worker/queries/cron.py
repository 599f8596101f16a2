"""Entries of crontabs: what is known of them, and their jobs, exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, first_column, only_value
from graphile_worker.queries.loader import load


@dataclass(frozen=True, slots=True)
class KnownCrontab:
    """What the database remembers of an entry."""

    identifier: str
    known_since: datetime
    last_execution: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CronJob:
    """One entry's job of one minute."""

    identifier: str
    task: str
    payload: str
    queue: str | None
    max_attempts: int | None
    job_key: str | None
    preserve_run_at: bool
    priority: int | None
    flags: tuple[str, ...]


def now() -> Statement[datetime]:
    """The database's clock, which goes on within a transaction."""
    return Statement("now", "select pg_catalog.clock_timestamp()", (), only_value)


def register_crontabs(
    schema: Schema, identifiers: list[str], since: datetime
) -> Statement[dict[str, KnownCrontab]]:
    """Make these entries known from `since` on; answers with those that were known before."""
    name = "register_crontabs"
    return Statement(name, load(name, schema), (identifiers, since), _by_identifier)


def known_crontabs(schema: Schema) -> Statement[list[KnownCrontab]]:
    """Every entry that any worker ever had, by identifier."""
    return Statement("known_crontabs", load("known_crontabs", schema), (), _known)


def schedule_crontabs(
    schema: Schema, minute: datetime, jobs: Sequence[CronJob]
) -> Statement[list[str]]:
    """Add the jobs of one minute, each unless somebody has added it before.

    Returns:
        The identifiers whose jobs this statement added, in the order of `jobs`.
    """
    keys = Counter(job.job_key for job in jobs)
    args = (
        minute,
        [job.identifier for job in jobs],
        [job.task for job in jobs],
        [job.payload for job in jobs],
        [job.queue for job in jobs],
        [job.max_attempts for job in jobs],
        [job.job_key for job in jobs],
        [job.priority for job in jobs],
        [",".join(job.flags) or None for job in jobs],
        [job.preserve_run_at for job in jobs],
        [job.job_key is not None and keys[job.job_key] > 1 for job in jobs],
    )
    return Statement("schedule_crontabs", load("schedule_crontabs", schema), args, first_column)


def _known(rows: Sequence[Row]) -> list[KnownCrontab]:
    return [KnownCrontab(*row) for row in rows]


def _by_identifier(rows: Sequence[Row]) -> dict[str, KnownCrontab]:
    return {row[0]: KnownCrontab(*row) for row in rows}
