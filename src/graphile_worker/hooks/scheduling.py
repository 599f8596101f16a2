"""Jobs on their way into the database: what `BeforeJobSchedule` makes of them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from graphile_worker.errors import JobScheduleFailed, JobScheduleSkipped
from graphile_worker.hooks.answers import Answer, JobScheduleResult
from graphile_worker.hooks.events import BeforeJobSchedule
from graphile_worker.hooks.handlers import checked, log_failure, reason_of
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.payloads.codec import from_json, to_json

_NO_OPINION: Final = JobScheduleResult.proceed(None)


def schedule(hooks: HookRegistry | None, job: NewJob) -> NewJob:
    """The job as it is to be added.

    Raises:
        JobScheduleSkipped: a hook answered that it is not to be added.
        JobScheduleFailed: a hook refused it, raised, or made something of it that is not JSON.
    """
    handlers = () if hooks is None else hooks.handlers(BeforeJobSchedule)
    return _chained(handlers, job) if handlers else job


def schedule_batch(hooks: HookRegistry | None, job: NewJob) -> NewJob:
    """As `schedule`, for a job whose payload are the items of a batch.

    Raises:
        JobScheduleSkipped: as there.
        JobScheduleFailed: as there, or no items are left.
    """
    scheduled = schedule(hooks, job)
    if scheduled is not job:
        items = from_json(scheduled.payload)
        if not isinstance(items, list) or not items:
            raise _refused(job, "a hook left no list of items, as a batch job needs it")
    return scheduled


def schedule_many(hooks: HookRegistry | None, jobs: Iterable[NewJob]) -> list[NewJob]:
    """The jobs that are to be added, those that a hook skips left out.

    Raises:
        JobScheduleFailed: a hook refused one.
    """
    handlers = () if hooks is None else hooks.handlers(BeforeJobSchedule)
    if not handlers:
        return list(jobs)
    kept: list[NewJob] = []
    for job in jobs:
        try:
            kept.append(_chained(handlers, job))
        except JobScheduleSkipped:
            continue
    return kept


@contextmanager
def around_adding(
    hooks: HookRegistry | None, operation: str, jobs: Sequence[NewJob]
) -> Generator[Sequence[NewJob]]:
    """Around the statement that stores jobs, whose outcome it sees.

    Args:
        hooks: whose `around_adding` is entered.
        operation: `add_job`, `add_jobs` or `add_batch_job`.
        jobs: as the hooks left them.

    Returns:
        The jobs as they are to be stored, as many and in the same order.
    """
    if hooks is None or not hooks.around_adding:
        yield jobs
        return
    with ExitStack() as stack:
        for around in hooks.around_adding:
            jobs = stack.enter_context(around(operation, jobs))
        yield jobs


def _chained(handlers: Iterable[Callable[..., Any]], job: NewJob) -> NewJob:
    payload, changed = from_json(job.payload), False
    for handler in handlers:
        event = BeforeJobSchedule(identifier=job.identifier, payload=payload, spec=job.spec)
        answer = _ask(handler, event)
        match answer.kind:
            case Answer.SKIP:
                raise JobScheduleSkipped(f"a hook skipped adding the job {job.identifier!r}")
            case Answer.FAIL:
                raise _refused(job, answer.reason or "")
            case Answer.CONTINUE if answer is not _NO_OPINION:
                payload, changed = answer.payload, True
            case Answer.CONTINUE:
                pass
    return dataclasses.replace(job, payload=_json(job, payload)) if changed else job


def _ask(handler: Callable[..., Any], event: BeforeJobSchedule) -> JobScheduleResult:
    try:
        answer = handler(event)
        if inspect.iscoroutine(answer):
            answer.close()
        return checked(answer, _NO_OPINION)
    except Exception as error:  # noqa: BLE001 (the edge to foreign code)
        log_failure(handler, event, error)
        return JobScheduleResult.fail(reason_of(error))


def _json(job: NewJob, payload: object) -> str:
    try:
        return to_json(payload)
    except Exception as error:
        raise _refused(job, f"the payload that a hook made is not JSON: {error}") from error


def _refused(job: NewJob, reason: str) -> JobScheduleFailed:
    return JobScheduleFailed(f"the job {job.identifier!r} was not added: {reason}")
