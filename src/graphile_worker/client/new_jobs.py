"""From what a caller gives to the jobs that are meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphile_worker.errors import ConfigurationError, JobScheduleFailed
from graphile_worker.jobs.definition import as_definition
from graphile_worker.jobs.new_job import NewJob, RawJobSpec
from graphile_worker.jobs.spec import JobSpec
from graphile_worker.payloads.codec import to_json


def jobs_of(task: Any, payloads: Iterable[Any] | None, spec: JobSpec | None) -> Iterable[NewJob]:
    """Jobs of one task; without payloads, the jobs that stand in the task's place.

    Raises:
        ConfigurationError: there are neither jobs nor payloads, or a spec beside jobs.
    """
    if payloads is None:
        return _given_jobs(task, spec)
    definition = as_definition(task)
    return (definition.job(payload, spec) for payload in payloads)


def batch_of(task: Any, items: Iterable[Any], spec: JobSpec | None) -> NewJob:
    """One job with all the items.

    Raises:
        JobScheduleFailed: there are none.
    """
    payload = list(items)
    if not payload:
        raise JobScheduleFailed("a batch job needs at least one item")
    return as_definition(task).job(payload, spec)


def raw(spec: RawJobSpec) -> NewJob:
    """A job by the name of its task.

    Raises:
        ConfigurationError: it is no `RawJobSpec`.
    """
    if not isinstance(spec, RawJobSpec):
        raise ConfigurationError(
            f"add_raw_jobs takes RawJobSpec, got {type(spec).__name__}; "
            "add_jobs takes what task.job(…) makes"
        )
    payload = "{}" if spec.payload is None else to_json(spec.payload)
    return NewJob(identifier=spec.identifier, payload=payload, spec=spec.spec)


def _given_jobs(jobs: Any, spec: JobSpec | None) -> Iterable[NewJob]:
    if not hasattr(jobs, "__iter__"):
        raise ConfigurationError(
            f"add_jobs needs payloads beside a task, or jobs made with task.job(…), got {jobs!r}"
        )
    if spec is not None:
        raise ConfigurationError(
            "spec goes with payloads; a job has its own: task.job(payload, spec)"
        )
    given: Iterable[NewJob] = jobs
    return given
