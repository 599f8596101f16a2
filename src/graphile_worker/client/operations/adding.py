"""Adding jobs: one, many, and very many."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from graphile_worker.client.bulk import Names, check_stored, match, waves
from graphile_worker.client.setup import Setup
from graphile_worker.database.operation import Operation, ask
from graphile_worker.database.statement import Row, Statement
from graphile_worker.errors import DatabaseError, JobNotAddedError
from graphile_worker.hooks.scheduling import around_adding
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import given
from graphile_worker.queries import add_jobs as queries
from graphile_worker.queries.add_jobs import Stored

logger = logging.getLogger(__name__)

ANALYZE_FROM: Final = 10_000
"""So many new jobs in one call make the planner's statistics wrong."""

_NO_ROW: Final = "GWNOR"
"""What the schema's add_job raises where Node's older one answers with a row of nulls."""


def add_one(setup: Setup, new: NewJob, operation: str = "add_job") -> Operation[Job]:
    """Add a job; `operation` is `add_job` or `add_batch_job`."""
    prepared = setup.prepared_one(new, operation)
    with around_adding(setup.hooks, operation, [prepared]) as [job]:
        return (yield from _add_one(setup, job))


def _add_one(setup: Setup, job: NewJob) -> Operation[Job]:
    key = given(job.spec.job_key)
    try:
        added = yield from ask(queries.add_job(setup.schema, job))
    except DatabaseError as error:
        if error.sqlstate != _NO_ROW:
            raise
        raise JobNotAddedError(key) from error
    if added is None:
        raise JobNotAddedError(key)
    return added


def add_many(setup: Setup, prepared: Sequence[NewJob]) -> Operation[list[Job]]:
    """Add jobs that `setup` has prepared, and answer with them, in the order given.

    No jobs, no statement.
    """
    if not prepared:
        return []
    with around_adding(setup.hooks, "add_jobs", prepared) as jobs:
        return (yield from _add_many(setup, jobs))


def _add_many(setup: Setup, jobs: Sequence[NewJob]) -> Operation[list[Job]]:
    split = waves(jobs)
    rows = yield from ask(queries.add_jobs(setup.schema, jobs, split))
    names = yield from _names(setup, jobs, rows)
    return match(jobs, split, rows, names)


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs that are ready to be sent; none, where hooks skipped them all."""

    setup: Setup
    jobs: Sequence[NewJob]
    statement: Statement[Stored] | None


def batch(setup: Setup, new: Iterable[NewJob]) -> Batch:
    """Do what can be done before there is a connection; at least one job."""
    jobs = setup.prepared(new)
    return Batch(setup, jobs, _storing(setup, jobs) if jobs else None)


def store(ready: Batch) -> Operation[int]:
    """Add jobs and answer with their number."""
    if ready.statement is None:
        return 0
    with around_adding(ready.setup.hooks, "add_jobs", ready.jobs) as jobs:
        statement = ready.statement if jobs is ready.jobs else _storing(ready.setup, jobs)
        return check_stored(jobs, (yield from ask(statement)))


def _storing(setup: Setup, jobs: Sequence[NewJob]) -> Statement[Stored]:
    return queries.store_jobs(setup.schema, jobs, waves(jobs))


def refresh_statistics(setup: Setup) -> Operation[None]:
    """Let the planner know of very many new jobs. They are stored: nothing here may fail."""
    try:
        yield from ask(queries.analyze_jobs(setup.schema))
    except DatabaseError as error:
        logger.debug("could not analyze the table of jobs: %s", error)


def _names(setup: Setup, jobs: Sequence[NewJob], rows: Sequence[Row]) -> Operation[Names]:
    """The names of the tasks and queues in the rows; where there is one of each, it is known."""
    task_ids = {row[1] for row in rows}
    queue_ids = {row[2] for row in rows if row[2] is not None}
    identifiers = {job.identifier for job in jobs}
    queues = {given(job.spec.queue_name) for job in jobs} - {None}
    if len(identifiers) == 1 and len(queues) <= 1:
        tasks = {("task", id_): name for id_ in task_ids for name in identifiers}
        return tasks | {("queue", id_): name or "" for id_ in queue_ids for name in queues}
    return (
        yield from ask(
            queries.names(setup.schema, task_ids=list(task_ids), queue_ids=list(queue_ids))
        )
    )
