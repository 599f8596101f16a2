"""Many jobs in one call: what goes to the database together, and which row is whose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from graphile_worker.database.statement import Row
from graphile_worker.errors import JobNotAddedError, JobScheduleFailed, PayloadError
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import JobKeyMode, given
from graphile_worker.queries.add_jobs import Stored, Wave, distinct_specs, preserves_run_at
from graphile_worker.queries.rows import job_of

Names: TypeAlias = Mapping[tuple[str, int], str]
"""The names of tasks and queues by `("task", id)` and `("queue", id)`."""

_NOW = 17
"""The column of the database's now."""
_WAVE = 18
"""The column of the number of the wave."""
_JSON_SPACE = " \t\n\r"
"""Around a payload it does not survive; task.job(…) writes none."""


def waves(jobs: Sequence[NewJob]) -> list[Wave]:
    """Split a call so that its waves, in order, do what adding one by one in order would do.

    Jobs with different keys do not touch each other, so only jobs with the same key have to stay in
    order: the n-th job with a key goes into the n-th round, and a round splits by
    `preserve_run_at`.

    Raises:
        JobScheduleFailed: a job asks for `UNSAFE_DEDUPE`, which `add_jobs` cannot do.
    """
    if all(given(spec.job_key) is None for spec in distinct_specs(jobs)):
        return [Wave(range(len(jobs)), preserve_run_at=False)]
    rounds: dict[tuple[int, bool], list[int]] = defaultdict(list)
    seen: dict[str, int] = defaultdict(int)
    for position, job in enumerate(jobs):
        key = given(job.spec.job_key)
        if key is None:
            rounds[0, False].append(position)
            continue
        if given(job.spec.job_key_mode) is JobKeyMode.UNSAFE_DEDUPE:
            raise JobScheduleFailed(
                f"add_jobs cannot take JobKeyMode.UNSAFE_DEDUPE (job key {key!r}); use add_job"
            )
        rounds[seen[key], preserves_run_at(job.spec)].append(position)
        seen[key] += 1
    return [Wave(positions, preserve) for (_, preserve), positions in sorted(rounds.items())]


def match(
    jobs: Sequence[NewJob], waves: Sequence[Wave], rows: Sequence[Row], names: Names
) -> list[Job]:
    """The rows as jobs, in the order of the jobs they came from.

    The database answers in an order of its own. Within a wave a job with a key is known by its key;
    others are known by their content, and where several are alike any of them will do (the lower id
    first).

    Raises:
        JobNotAddedError: a job has no row (the race of Node's `add_jobs`).
        PayloadError: there are more rows than jobs.
    """
    _refuse_more(jobs, len(rows))
    by_content: dict[object, list[Job]] = defaultdict(list)
    now = datetime.min.replace(tzinfo=UTC)
    for row in sorted(rows, key=_id, reverse=True):
        found, now = _job(row, names), row[_NOW]
        content = found.key if found.key is not None else _row_content(row, found)
        by_content[row[_WAVE], content].append(found)
    matched = {
        position: _take(jobs[position], number, by_content, now)
        for number, wave in enumerate(waves, start=1)
        for position in wave.positions
    }
    return [matched[position] for position in range(len(jobs))]


def check_stored(jobs: Sequence[NewJob], stored: Stored) -> int:
    """The number of jobs, if all of them were stored.

    Raises:
        JobNotAddedError: a job was not (the race of Node's `add_jobs`).
        PayloadError: there are more than there should be.
    """
    if stored.count == len(jobs):
        return stored.count
    _refuse_more(jobs, stored.count)
    keys = (given(job.spec.job_key) for job in jobs)
    raise JobNotAddedError(next((k for k in keys if k is not None and k not in stored.keys), None))


def _refuse_more(jobs: Sequence[NewJob], count: int) -> None:
    """Only a `NewJob` made by hand, with `1, 2` for its payload, could bring this about."""
    if count > len(jobs):
        raise PayloadError(
            f"{len(jobs)} jobs have {count} payloads: one of them is not one JSON value; make jobs "
            "with task.job(…)"
        )


def _take(job: NewJob, wave: int, by_content: Mapping[object, list[Job]], now: datetime) -> Job:
    key = given(job.spec.job_key)
    candidates = by_content.get((wave, key if key is not None else _content(job, now)))
    if not candidates:
        raise JobNotAddedError(key)
    return candidates.pop()


def _job(row: Row, names: Names) -> Job:
    queue = None if row[2] is None else names.get(("queue", row[2]))
    return job_of(row, task_identifier=names.get(("task", row[1]), ""), queue_name=queue)


def _id(row: Row) -> Any:
    return row[0]


def _row_content(row: Row, job: Job) -> tuple[object, ...]:
    return (
        job.task_identifier,
        row[3],
        job.queue_name,
        job.priority,
        job.max_attempts,
        job.flags,
        job.run_at,
    )


def _content(job: NewJob, now: datetime) -> tuple[object, ...]:
    """What the row of a job holds; the numbers are the database's defaults."""
    spec = job.spec
    priority, max_attempts = given(spec.priority), given(spec.max_attempts)
    run_at = given(spec.run_at)
    if run_at is None or isinstance(run_at, timedelta):
        run_at = now + (run_at or timedelta(0))
    return (
        job.identifier,
        job.payload.strip(_JSON_SPACE),
        given(spec.queue_name),
        0 if priority is None else priority,
        25 if max_attempts is None else max_attempts,
        frozenset(given(spec.flags) or ()),
        run_at,
    )
