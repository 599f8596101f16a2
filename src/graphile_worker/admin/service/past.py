"""What was, as far as it is kept; see `graphile_worker.client.history`."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Final, TypeVar

from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.service.sessions import Sessions
from graphile_worker.client.operations import history
from graphile_worker.client.operations.history import HistoryStatus, Period, SamplePoint, TaskWork
from graphile_worker.client.setup import Setup
from graphile_worker.database.operation import Operation, perform
from graphile_worker.queries.history import JobRun

T = TypeVar("T")

_LATELY: Final = timedelta(hours=1)


class Past:
    """Reads history; all of it is empty where history is not installed.

    Args:
        sessions: the database; this closes nothing of it.
        redactor: takes secrets out of errors.
    """

    def __init__(self, sessions: Sessions, redactor: Redactor) -> None:
        self._sessions = sessions
        self._redactor = redactor
        self._setup = Setup(schema=sessions.schema)

    async def status(self) -> HistoryStatus | None:
        """What is kept; None: nothing is."""
        return await self._perform(history.status(self._setup))

    async def samples(self, since: timedelta, step: timedelta) -> list[SamplePoint]:
        """How the queue stood, and what went through it, the oldest first."""
        return await self._perform(_if_kept(self._setup, history.samples(self._setup, since, step)))

    async def periods(self, since: timedelta, task: str | None = None) -> list[Period]:
        """What Python workers did in each minute, hour or day."""
        return await self._perform(
            _if_kept(self._setup, history.periods(self._setup, since, None, task))
        )

    async def tasks(self, since: timedelta = _LATELY) -> list[TaskWork]:
        """What Python workers did of each task."""
        return await self._perform(
            _if_kept(self._setup, history.tasks(self._setup, since, None, None))
        )

    async def attempts(self, job_id: int) -> list[JobRun]:
        """The attempts of a job, the first one first."""
        found = await self._perform(_if_kept(self._setup, history.attempts(self._setup, job_id)))
        return [self._shown(run) for run in found]

    async def slowest(self, task: str, limit: int = 10) -> list[JobRun]:
        """The attempts of a task within a day that took longest."""
        wanted = history.runs(
            self._setup,
            since=timedelta(days=1),
            task=task,
            outcome=None,
            limit=limit,
            slowest=True,
        )
        return [self._shown(run) for run in await self._perform(_if_kept(self._setup, wanted))]

    def _shown(self, run: JobRun) -> JobRun:
        if run.error is None:
            return run
        return dataclasses.replace(run, error=self._redactor.error(run.error).text)

    async def _perform(self, operation: Operation[T]) -> T:
        async with self._sessions.reading() as connection:
            return await perform(connection, operation)


def _if_kept(setup: Setup, operation: Operation[list[T]]) -> Operation[list[T]]:
    if (yield from history.config(setup.schema)) is None:
        operation.close()
        return []
    return (yield from operation)
