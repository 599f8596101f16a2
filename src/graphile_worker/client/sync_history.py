"""`utils.history` of `SyncWorkerUtils`."""

from __future__ import annotations

from graphile_worker.client.calls import SyncCalls
from graphile_worker.client.history import HOUR
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


class SyncHistory(SyncCalls):
    """Makes, reads and removes history; arguments and answers are those of `History`."""

    def install(self, config: HistoryConfig | None = None) -> None:
        """Make the tables; see `History.install`."""
        self._run_together(lambda: history.install(self._setup, config or HistoryConfig()))

    def uninstall(self) -> bool:
        """Drop all of it; see `History.uninstall`."""
        return self._run_together(lambda: history.uninstall(self._setup))

    def status(self) -> HistoryStatus | None:
        """What is kept; None: history is not installed."""
        return self._run(history.status(self._setup))

    def prune(self) -> bool:
        """Delete what is too old; see `History.prune`."""
        return self._run_together(lambda: history.prune(self._setup))

    def samples(self, since: Duration = HOUR, *, step: Duration | None = None) -> list[SamplePoint]:
        """How the queue stood; see `History.samples`."""
        return self._run(history.samples(self._setup, since, step))

    def periods(
        self,
        since: Duration = HOUR,
        *,
        resolution: Resolution | None = None,
        task: str | None = None,
    ) -> list[Period]:
        """What was done in each minute, hour or day; see `History.periods`."""
        return self._run(history.periods(self._setup, since, resolution, task))

    def tasks(
        self,
        since: Duration = HOUR,
        *,
        resolution: Resolution | None = None,
        task: str | None = None,
    ) -> list[TaskWork]:
        """What was done of each task; see `History.tasks`."""
        return self._run(history.tasks(self._setup, since, resolution, task))

    def attempts(self, job_id: int) -> list[JobRun]:
        """The attempts of one job; see `History.attempts`."""
        return self._run(history.attempts(self._setup, job_id))

    def runs(
        self,
        since: Duration = HOUR,
        *,
        task: str | None = None,
        outcome: str | None = None,
        limit: int = 100,
        slowest: bool = False,
    ) -> list[JobRun]:
        """Attempts that ended lately; see `History.runs`."""
        return self._run(
            history.runs(
                self._setup,
                since=since,
                task=task,
                outcome=outcome,
                limit=limit,
                slowest=slowest,
            )
        )

    def counters(self) -> Counters:
        """PostgreSQL's own counters; see `History.counters`."""
        return self._run(ask(reading.counters(self._setup.schema)))
