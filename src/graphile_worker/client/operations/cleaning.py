"""Cleaning up: what nobody needs any more."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from enum import Enum
from typing import Final, assert_never

from graphile_worker.client.operations.looking import STALE_AFTER, active_workers, tasks_of
from graphile_worker.client.setup import Setup
from graphile_worker.database.operation import Operation, ask
from graphile_worker.errors import ConfigurationError, DatabaseError
from graphile_worker.queries import cleanup as queries
from graphile_worker.queries import manage_jobs

_LOCK_WAIT_MILLISECONDS: Final = 2_000
"""Others who add jobs wait behind us so long."""
_LOCK_NOT_AVAILABLE: Final = "55P03"


class CleanupTask(Enum):
    """What `cleanup` can do; in this order, since each leaves more for the next."""

    DELETE_PERMANENTLY_FAILED_JOBS = "delete-permanently-failed-jobs"
    """Jobs without attempts left; those that are running stay."""
    GC_TASK_IDENTIFIERS = "gc-task-identifiers"
    """Identifiers of tasks that have no jobs and that no worker we know of can run."""
    GC_JOB_QUEUES = "gc-job-queues"
    """Queues that have no jobs and are not locked."""


def in_order(tasks: Iterable[CleanupTask]) -> list[CleanupTask]:
    """The tasks in the order in which they are done, each once.

    Raises:
        ConfigurationError: one of them is no `CleanupTask`.
    """
    wanted: list[object] = list(tasks)
    for task in wanted:
        if not isinstance(task, CleanupTask):
            known = ", ".join(f"CleanupTask.{known.name}" for known in CleanupTask)
            raise ConfigurationError(f"a cleanup task must be one of {known}, got {task!r}")
    return [task for task in CleanupTask if task in wanted]


def clean(setup: Setup, task: CleanupTask) -> Operation[int]:
    """Do one cleanup task and answer with the number of rows it deleted; in a transaction."""
    match task:
        case CleanupTask.DELETE_PERMANENTLY_FAILED_JOBS:
            return ask(queries.delete_failed_jobs(setup.schema))
        case CleanupTask.GC_TASK_IDENTIFIERS:
            return _delete_unused_tasks(setup)
        case CleanupTask.GC_JOB_QUEUES:
            return _delete_unused_queues(setup)
        case _:
            assert_never(task)


def preview(setup: Setup, tasks: Iterable[CleanupTask]) -> Operation[dict[CleanupTask, int]]:
    """How many rows each task would delete, after those before it; changes and locks nothing."""
    wanted = in_order(tasks)
    failed_first = CleanupTask.DELETE_PERMANENTLY_FAILED_JOBS in wanted
    counts: dict[CleanupTask, int] = {}
    for task in wanted:
        counts[task] = yield from _count(setup, task, without_failed_jobs=failed_first)
    return counts


def _count(setup: Setup, task: CleanupTask, *, without_failed_jobs: bool) -> Operation[int]:
    match task:
        case CleanupTask.DELETE_PERMANENTLY_FAILED_JOBS:
            return (yield from ask(manage_jobs.stats(setup.schema))).failed
        case CleanupTask.GC_TASK_IDENTIFIERS:
            keep = yield from _known_tasks(setup)
            counting = queries.count_unused_tasks(
                setup.schema, keep=keep, without_failed_jobs=without_failed_jobs
            )
        case CleanupTask.GC_JOB_QUEUES:
            counting = queries.count_unused_queues(
                setup.schema, without_failed_jobs=without_failed_jobs
            )
        case _:
            assert_never(task)
    return (yield from ask(counting))


def _delete_unused_tasks(setup: Setup) -> Operation[int]:
    keep = yield from _known_tasks(setup)
    with _explained():
        yield from ask(queries.limit_lock_waits(setup.schema, _LOCK_WAIT_MILLISECONDS))
        yield from ask(queries.lock_tasks(setup.schema))
    return (yield from ask(queries.delete_unused_tasks(setup.schema, keep=keep)))


def _known_tasks(setup: Setup) -> Operation[list[str]]:
    """A worker keeps the ids of its tasks in memory, so identifiers of live workers are kept."""
    workers = yield from active_workers(setup, STALE_AFTER)
    known = {name for worker in workers for name in tasks_of(worker) or ()}
    return sorted(setup.known_tasks | known)


def _delete_unused_queues(setup: Setup) -> Operation[int]:
    with _explained():
        yield from ask(queries.limit_lock_waits(setup.schema, _LOCK_WAIT_MILLISECONDS))
        yield from ask(queries.lock_queues(setup.schema))
    return (yield from ask(queries.delete_unused_queues(setup.schema)))


@contextmanager
def _explained() -> Generator[None]:
    try:
        yield
    except DatabaseError as error:
        if error.sqlstate != _LOCK_NOT_AVAILABLE:
            raise
        raise DatabaseError(
            "cleanup gave up: a transaction that adds jobs has been open for more than "
            f"{_LOCK_WAIT_MILLISECONDS / 1000:g} s; try again when it has ended",
            sqlstate=error.sqlstate,
        ) from error
