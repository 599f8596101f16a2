"""Add one job or many, through the schema's own functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, nothing
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import UNSET, JobKeyMode, JobSpec, given
from graphile_worker.queries.loader import load
from graphile_worker.queries.rows import first_job_of

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Wave:
    """Jobs that one call of the schema's `add_jobs` can take, by their positions in a list.

    No two of them have the same key, none has `UNSAFE_DEDUPE`, and all or none of those with a key
    have `PRESERVE_RUN_AT`.
    """

    positions: Sequence[int]
    preserve_run_at: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """How many jobs were stored, and the keys of those that have one."""

    count: int
    keys: frozenset[str]


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
    name = "add_job_deduped" if mode is JobKeyMode.UNSAFE_DEDUPE else "add_job"
    return Statement(name, load(name, schema), args, first_job_of)


def add_jobs(
    schema: Schema, jobs: Sequence[NewJob], waves: Sequence[Wave]
) -> Statement[Sequence[Row]]:
    """Add many jobs, wave by wave.

    Returns:
        The rows, in no particular order, with ids of tasks and queues in place of their names; as
        last columns the database's now and the number of the wave, from 1.
    """
    return Statement("add_jobs", load("add_jobs", schema), _columns(jobs, waves), _rows)


def store_jobs(schema: Schema, jobs: Sequence[NewJob], waves: Sequence[Wave]) -> Statement[Stored]:
    """Add many jobs, wave by wave, and count them."""
    return Statement("store_jobs", load("store_jobs", schema), _columns(jobs, waves), _stored)


def names(
    schema: Schema, *, task_ids: list[int], queue_ids: list[int]
) -> Statement[dict[tuple[str, int], str]]:
    """The names of tasks and queues by `("task", id)` and `("queue", id)`."""
    return Statement("names", load("names", schema), (task_ids, queue_ids), _names)


def analyze_jobs(schema: Schema) -> Statement[None]:
    """Tell the planner what the table looks like now; not in a transaction of the caller's."""
    return Statement("analyze_jobs", load("analyze_jobs", schema), (), nothing)


def preserves_run_at(spec: JobSpec) -> bool:
    """Whether a job goes to the database with the flag `job_key_preserve_run_at`."""
    return given(spec.job_key_mode) is JobKeyMode.PRESERVE_RUN_AT


def distinct_specs(jobs: Iterable[NewJob]) -> list[JobSpec]:
    """The specs among the jobs, of which many jobs commonly share one."""
    return list({id(job.spec): job.spec for job in jobs}.values())


def _rows(rows: Sequence[Row]) -> Sequence[Row]:
    return rows


def _names(rows: Sequence[Row]) -> dict[tuple[str, int], str]:
    return {(row[0], row[1]): row[2] for row in rows}


def _stored(rows: Sequence[Row]) -> Stored:
    count, keys = rows[0]
    return Stored(count, frozenset(keys or ()))


def _columns(jobs: Sequence[NewJob], waves: Sequence[Wave]) -> tuple[object, ...]:
    """The jobs in the order of their waves, column by column."""
    numbers = None
    if len(waves) > 1:
        jobs = [jobs[position] for wave in waves for position in wave.positions]
        numbers = [n for n, wave in enumerate(waves, start=1) for _ in wave.positions]
    specs = [job.spec for job in jobs]
    distinct = distinct_specs(jobs)

    def column(value: Callable[[JobSpec], V | None]) -> list[V | None] | None:
        """Most columns are empty, and then cost nothing."""
        if all(value(spec) is None for spec in distinct):
            return None
        return [value(spec) for spec in specs]

    identifiers = [job.identifier for job in jobs]
    return (
        identifiers if len(set(identifiers)) > 1 else identifiers[:1],
        f"[{','.join([job.payload for job in jobs])}]",
        column(lambda spec: given(spec.queue_name)),
        column(lambda spec: _run_at(spec)[0]),
        column(lambda spec: _run_at(spec)[1]),
        column(lambda spec: given(spec.max_attempts)),
        column(lambda spec: given(spec.job_key)),
        column(lambda spec: given(spec.priority)),
        column(_flags_literal),
        numbers,
        [wave.preserve_run_at for wave in waves],
    )


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
