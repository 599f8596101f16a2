"""Task classes: a payload that says which task it is, and how to run it."""

from __future__ import annotations

from typing import Any, TypeGuard

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.definition import TaskReference, is_task_class, not_a_task
from graphile_worker.tasks.task import Task


def as_task(thing: object) -> Task[Any]:
    """The task that somebody gives a worker.

    Args:
        thing: a task, or a class with `IDENTIFIER` and `run(self, ctx)` whose fields are the
            payload.

    Raises:
        ConfigurationError: it is neither; the message says what to write instead.
    """
    if _is_task(thing):
        return thing
    if isinstance(thing, type) and is_task_class(thing):
        return _task_of_class(thing)
    if isinstance(thing, TaskReference):
        raise ConfigurationError(
            f"task_ref({thing.identifier!r}, …) has no handler: a worker needs the task itself"
        )
    raise not_a_task(thing)


def _is_task(thing: object) -> TypeGuard[Task[Any]]:
    return isinstance(thing, Task)


def _task_of_class(task_class: type) -> Task[Any]:
    payload: Any = task_class
    task: Task[Any] = Task(payload.run, payload.IDENTIFIER, payload=payload)
    return task
