"""`utils.history`: what was, as far as it is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from graphile_worker.client.calls import Calls
from graphile_worker.client.operations import history
from graphile_worker.client.operations.history import (
    HistoryStatus,
    Period,
    SamplePoint,
    TaskWork,
)
from graphile_worker.database.operation import ask
from graphile_worker.history.options import HistoryConfig, Resolution
from graphile_worker.queries import history_reading as reading
from graphile_worker.queries.history import JobRun
from graphile_worker.queries.history_reading import Counters
from graphile_worker.runtime.duration import Duration

HOUR: Final = timedelta(hours=1)


class History(Calls):
    """Makes, reads and removes history: tables of our own beside the shared ones.

    Reading needs them to be there: `status` says whether they are; a call that reads fails where
    they are not (`DatabaseError`, SQLSTATE 42P01). What workers count arrives after ten seconds,
    attempts after one.
    """

    async def install(self, config: HistoryConfig | None = None) -> None:
        """Make the tables, and say what is to be kept; safe to call again, with another config.

        Workers that run already take no notice before their next start.
        """
        await self._run_together(lambda: history.install(self._setup, config or HistoryConfig()))

    async def uninstall(self) -> bool:
        """Drop all of it; workers that record stop doing so.

        Returns:
            Whether the schema is as if there had never been any; False while something is paused,
            which is remembered in a table too.
        """
        return await self._run_together(lambda: history.uninstall(self._setup))

    async def status(self) -> HistoryStatus | None:
        """What is kept, and how large it is; None: history is not installed."""
        return await self._run(history.status(self._setup))

    async def prune(self) -> bool:
        """Delete what is too old; running workers do so every hour.

        Returns:
            Whether it was done: not while somebody else does, or without tables.
        """
        return await self._run_together(lambda: history.prune(self._setup))

    async def samples(
        self, since: Duration = HOUR, *, step: Duration | None = None
    ) -> list[SamplePoint]:
        """How the queue stood, and what went through it, whichever workers did the work.

        Args:
            since: how far to look back.
            step: between two points; default: as many as make 500 points, at least a minute.
        """
        return await self._run(history.samples(self._setup, since, step))

    async def periods(
        self,
        since: Duration = HOUR,
        *,
        resolution: Resolution | None = None,
        task: str | None = None,
    ) -> list[Period]:
        """What Python workers did in each minute, hour or day; those without work are left out.

        Args:
            since: how far to look back.
            resolution: default: minutes up to six hours, hours up to ten days.
            task: only this one.
        """
        return await self._run(history.periods(self._setup, since, resolution, task))

    async def tasks(
        self,
        since: Duration = HOUR,
        *,
        resolution: Resolution | None = None,
        task: str | None = None,
    ) -> list[TaskWork]:
        """What Python workers did of each task in all that time; arguments as for `periods`."""
        return await self._run(history.tasks(self._setup, since, resolution, task))

    async def attempts(self, job_id: int) -> list[JobRun]:
        """The attempts of one job, in the order in which they ended, as far as they are logged."""
        return await self._run(history.attempts(self._setup, job_id))

    async def runs(
        self,
        since: Duration = HOUR,
        *,
        task: str | None = None,
        outcome: str | None = None,
        limit: int = 100,
        slowest: bool = False,
    ) -> list[JobRun]:
        """Attempts that ended lately, as far as they are logged.

        Args:
            since: how far to look back.
            task: only this one.
            outcome: only this one, see `JobRun.outcome`.
            limit: at most so many.
            slowest: those first that took longest, instead of the newest.
        """
        return await self._run(
            history.runs(
                self._setup,
                since=since,
                task=task,
                outcome=outcome,
                limit=limit,
                slowest=slowest,
            )
        )

    async def counters(self) -> Counters:
        """PostgreSQL's own counters of the table of jobs; needs no table of ours, costs nothing.

        `graphile_worker.history.flow.flow` makes of two of them what went through the queue.
        """
        return await self._run(ask(reading.counters(self._setup.schema)))
