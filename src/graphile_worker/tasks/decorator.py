"""Decorators (first version)."""

from __future__ import annotations

from typing import Any

from graphile_worker.jobs.spec import JobSpec
from graphile_worker.tasks.task import Task


def task(identifier: Any = None, *, payload: Any = ..., spec: JobSpec = JobSpec(), executor: str = "auto",
         timeout: Any = None, backoff: Any = None) -> Any:
    def decorate(fn: Any) -> Task[Any]:
        name = identifier if isinstance(identifier, str) else fn.__name__
        return Task(fn, name, spec, executor, timeout, backoff, False, payload)
    return decorate(identifier) if callable(identifier) else decorate


def batch_task(identifier: Any = None, *, spec: JobSpec = JobSpec(), timeout: Any = None, backoff: Any = None) -> Any:
    def decorate(fn: Any) -> Task[Any]:
        name = identifier if isinstance(identifier, str) else fn.__name__
        return Task(fn, name, spec, "auto", timeout, backoff, True)
    return decorate(identifier) if callable(identifier) else decorate
