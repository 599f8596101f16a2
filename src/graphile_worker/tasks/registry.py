"""Registry (first version)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphile_worker.errors import DuplicateTaskError
from graphile_worker.tasks.task import Task


class TaskRegistry(Mapping[str, Task[Any]]):
    def __init__(self, tasks: Iterable[Any]) -> None:
        self._tasks: dict[str, Task[Any]] = {}
        for task in tasks:
            if self._tasks.get(task.identifier, task) is not task:
                raise DuplicateTaskError(task.identifier)
            self._tasks[task.identifier] = task

    def __getitem__(self, key: str) -> Task[Any]:
        return self._tasks[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)
