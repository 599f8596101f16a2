"""The events that every job has, made quickly."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from graphile_worker.hooks.events import JobComplete, JobFetch, JobStart
from graphile_worker.jobs.draft import draft_of
from graphile_worker.jobs.job import Job

_Fetch: Final = draft_of(JobFetch)
_Start: Final = draft_of(JobStart)
_Complete: Final = draft_of(JobComplete)


def job_fetch(job: Job, worker_id: str) -> JobFetch:
    """A `JobFetch`."""
    draft = _Fetch()
    draft.job = job
    draft.worker_id = worker_id
    draft.__class__ = JobFetch
    event: JobFetch = draft
    return event


def job_start(job: Job, worker_id: str) -> JobStart:
    """A `JobStart`."""
    draft = _Start()
    draft.job = job
    draft.worker_id = worker_id
    draft.__class__ = JobStart
    event: JobStart = draft
    return event


def job_complete(job: Job, worker_id: str, duration: timedelta) -> JobComplete:
    """A `JobComplete`."""
    draft = _Complete()
    draft.job = job
    draft.worker_id = worker_id
    draft.duration = duration
    draft.__class__ = JobComplete
    event: JobComplete = draft
    return event
