"""The tasks of one worker, by identifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphile_worker.errors import DuplicateTaskError
from graphile_worker.tasks.task import Task
from graphile_worker.tasks.task_class import as_task


class TaskRegistry(Mapping[str, Task[Any]]):
    """Identifier to task; never changes. The same task given twice counts once.

    Args:
        tasks: tasks and task classes.

    Raises:
        ConfigurationError: something in it is no task.
        DuplicateTaskError: two tasks have one identifier.
    """

    __slots__ = ("_tasks",)

    def __init__(self, tasks: Iterable[object]) -> None:
        given: dict[str, object] = {}
        found: dict[str, Task[Any]] = {}
        for thing in tasks:
            task = as_task(thing)
            if given.setdefault(task.identifier, thing) is not thing:
                raise DuplicateTaskError(task.identifier)
            found.setdefault(task.identifier, task)
        self._tasks = found

    def __getitem__(self, identifier: str) -> Task[Any]:
        return self._tasks[identifier]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def resolve(self) -> None:
        """Resolve all handlers' annotations, so that a worker does not start with a mistake.

        Raises:
            ConfigurationError: it names the task and the annotation.
        """
        for task in self._tasks.values():
            task.resolve()
