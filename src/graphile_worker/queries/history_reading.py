"""Reading history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement
from graphile_worker.queries.history import ROLLUP, RUN, SAMPLE, JobRun
from graphile_worker.queries.loader import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What PostgreSQL counted of the table of jobs since its statistics were reset."""

    at: datetime
    inserted: int
    updated: int
    deleted: int
    stats_reset: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How the queue stood at a minute; all jobs, whichever workers run them."""

    counters: Counters
    ready: int
    """Due, and free to be taken."""
    blocked: int
    """Due, and behind the running job of their queue, or in a paused one."""
    running: int
    retrying: int
    """Failed before, and not due yet."""
    scheduled: int
    """Not due yet, for the first time."""
    failed: int
    """For good."""
    oldest_ready: float
    """Seconds that the first of the due jobs had been due; 0 when there was none."""
    workers: int
    """Those that had sent a heartbeat in the five minutes before."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a period, or over a task; durations in seconds."""

    key: Any
    completed: int
    failed: int
    dead: int
    run: float
    wait: float


@dataclass(frozen=True, slots=True)
class BucketCount:
    """How many durations fell into one bucket of a histogram."""

    key: Any
    is_run: bool
    """Of how long jobs ran; else of how long they had waited."""
    bucket: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes on disk, indexes included."""

    samples: int
    counts: int
    runs: int


@dataclass(frozen=True, slots=True)
class FirstAttempt:
    """What is recorded of the first attempt of a job that was due at a time.

    Attributes:
        started_at: when it started; None: nothing was found.
        outcome: of the last attempt of that job.
        is_cut: whether nothing was found because there was too much to look at.
    """

    started_at: datetime | None
    outcome: str | None
    is_cut: bool


def counters(schema: Schema) -> Statement[Counters]:
    """PostgreSQL's counters, now; needs no table of ours."""
    args = (f"{schema.quoted}._private_jobs",)
    return Statement("counters", load("history/counters", schema), args, _counters)


def samples(schema: Schema, *, since: float, step: float) -> Statement[list[Sample]]:
    """The last sample of each step, of the last so many seconds, oldest first."""
    args = (since, step)
    return Statement("samples", load("history/samples", schema), args, _samples)


def totals(
    schema: Schema, *, by: str, resolution: str, since: float, task: str | None
) -> Statement[list[Totals]]:
    """What was done in the last so many seconds, `by` `time` or `task`."""
    name = f"history/totals_by_{by}"
    return Statement(name, load(name, schema), (resolution, since, task), _totals)


def histograms(
    schema: Schema, *, by: str, resolution: str, since: float, task: str | None
) -> Statement[list[BucketCount]]:
    """The durations of the same."""
    name = f"history/histograms_by_{by}"
    return Statement(name, load(name, schema), (resolution, since, task), _histograms)


def runs_of_job(schema: Schema, job_id: int) -> Statement[list[JobRun]]:
    """The attempts of a job, in order."""
    return Statement("runs_of_job", load("history/runs_of_job", schema), (job_id,), _runs)


def runs(
    schema: Schema,
    *,
    since: float,
    task: str | None,
    outcome: str | None,
    limit: int,
    slowest: bool,
) -> Statement[list[JobRun]]:
    """Attempts that ended in the last so many seconds, the newest or the longest first."""
    name = "history/slowest_runs" if slowest else "history/runs"
    return Statement(name, load(name, schema), (since, task, outcome, limit), _runs)


def first_attempts(
    schema: Schema, wanted: Sequence[tuple[str, datetime]], *, scope: int
) -> Statement[list[FirstAttempt]]:
    """For each task and time, the first attempt of its job that was due then.

    Args:
        schema: where the tables are.
        wanted: tasks and times.
        scope: for each, look at so many attempts that ended after that time.
    """
    name = "history/first_attempts"
    args = ([task for task, _ in wanted], [at for _, at in wanted], scope)
    return Statement("first_attempts", load(name, schema), args, _first_attempts)


def sizes(schema: Schema) -> Statement[Sizes]:
    """How large the tables are."""
    args = tuple(f"{schema.quoted}.{table}" for table in _TABLES)
    return Statement("sizes", load("history/sizes", schema), args, _sizes)


_TABLES: Final = (SAMPLE, ROLLUP, RUN)


def _counters(rows: Sequence[Row]) -> Counters:
    return Counters(
        at=rows[0][0],
        inserted=rows[0][1],
        updated=rows[0][2],
        deleted=rows[0][3],
        stats_reset=rows[0][4],
    )


def _samples(rows: Sequence[Row]) -> list[Sample]:
    return [
        Sample(
            counters=_counters([row]),
            ready=row[5],
            blocked=row[6],
            running=row[7],
            retrying=row[8],
            scheduled=row[9],
            failed=row[10],
            oldest_ready=row[11],
            workers=row[12],
        )
        for row in rows
    ]


def _totals(rows: Sequence[Row]) -> list[Totals]:
    return [Totals(*row) for row in rows]


def _histograms(rows: Sequence[Row]) -> list[BucketCount]:
    return [BucketCount(*row) for row in rows]


def _runs(rows: Sequence[Row]) -> list[JobRun]:
    return [
        JobRun(
            job_id=row[0],
            attempt=row[1],
            task=row[2],
            queue=row[3],
            key=row[4],
            run_at=row[5],
            started_at=row[6],
            finished_at=row[7],
            outcome=row[8],
            worker=row[9],
            error=row[10],
            trace_id=row[11],
        )
        for row in rows
    ]


def _first_attempts(rows: Sequence[Row]) -> list[FirstAttempt]:
    return [FirstAttempt(*row) for row in rows]


def _sizes(rows: Sequence[Row]) -> Sizes:
    return Sizes(samples=rows[0][0], counts=rows[0][1], runs=rows[0][2])
