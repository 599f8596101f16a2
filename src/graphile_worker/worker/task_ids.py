"""The ids that stand for this worker's tasks in the tables."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Any, Final

from graphile_worker.database.executor import Executor
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.task_ids import register_tasks, waiting_unknown_tasks
from graphile_worker.tasks.registry import TaskRegistry
from graphile_worker.tasks.task import Task

logger = logging.getLogger(__name__)

_REFRESH_AFTER: Final = 60.0
_TRIES: Final = 5


class TaskIds:
    """Tasks by the id of their identifier.

    Another program's clean-up may delete an identifier that no job uses; the next job of that task
    then has a new id, and a worker that only knows the old one would never see it. So an idle
    worker looks again once a minute. The same look tells of due jobs whose task it does not know.
    What is paused is known and not claimed.
    """

    def __init__(self, schema: Schema, registry: TaskRegistry, *, show_jobs: bool = False) -> None:
        self.schema = schema
        """Where the tables are."""
        self._registry = registry
        self.by_id: dict[int, Task[Any]] = {}
        """The tasks; the same object for as long as this one lives."""
        self._refreshed = 0.0
        self._reported: frozenset[str] = frozenset()
        self._current: dict[int, str] = {}
        self._paused: Collection[str] = ()
        self.show_jobs = show_jobs or any(task.takes_context for task in registry.values())
        """Whether any handler, or hook, can look at its job."""
        self.ids: list[int] = []
        """Those that are to be claimed, as the claim wants them."""

    @property
    def identifiers(self) -> frozenset[str]:
        """The names of the tasks."""
        return frozenset(self._registry)

    def __getitem__(self, task_id: int) -> Task[Any]:
        return self.by_id[task_id]

    async def register(self, executor: Executor) -> None:
        """Look the identifiers up, creating those that are missing."""
        identifiers = list(self._registry)
        found: dict[int, str] = {}
        for _ in range(_TRIES):
            found = await executor.run(register_tasks(self.schema, identifiers))
            if len(found) >= len(identifiers):
                break
        # Ids that were known stay: jobs claimed with them may still be running.
        self.by_id |= {id_: self._registry[identifier] for id_, identifier in found.items()}
        self._current = found
        self.pause(self._paused)
        self._refreshed = time.monotonic()

    def pause(self, identifiers: Collection[str]) -> None:
        """Claim no jobs of these tasks from now on, and those of all others."""
        self._paused = identifiers
        self.ids = [id_ for id_, name in self._current.items() if name not in identifiers]

    async def refresh_if_old(self, executor: Executor) -> None:
        """Once a minute, `register` and report unknown tasks; a database that is away is logged."""
        if time.monotonic() - self._refreshed < _REFRESH_AFTER:
            return
        self._refreshed = time.monotonic()
        try:
            await self.register(executor)
        except DatabaseError as error:
            logger.warning("cannot refresh task ids: %s", error)
        else:
            await self.report_unknown(executor)

    async def report_unknown(self, executor: Executor) -> None:
        """Warn, once for each, of tasks that have due jobs and that this worker does not know.

        Never raises for a database that is away: it is no more than a report.
        """
        try:
            waiting = await executor.run(waiting_unknown_tasks(self.schema, list(self._current)))
        except DatabaseError as error:
            logger.warning("cannot look for jobs of unknown tasks: %s", error)
            return
        fresh = [identifier for identifier in waiting if identifier not in self._reported]
        self._reported |= frozenset(fresh)
        if fresh:
            logger.warning(
                "jobs are due for tasks this worker does not know, and stay where they are: %s",
                ", ".join(repr(identifier) for identifier in fresh),
            )
