"""What one client is set up with, and what becomes of every new job on its way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from graphile_worker.database.schema import Schema
from graphile_worker.errors import ConfigurationError
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.hooks.scheduling import schedule, schedule_batch, schedule_many
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import given


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all calls of one client share.

    Attributes:
        schema: where the tables are.
        use_local_time: jobs without `run_at` get this process's time, not the database's.
        known_tasks: identifiers that cleaning up leaves alone.
        hooks: asked about every job, and around every statement that adds some.
    """

    schema: Schema
    use_local_time: bool = False
    known_tasks: frozenset[str] = frozenset()
    hooks: HookRegistry | None = None

    def prepared(self, jobs: Iterable[NewJob]) -> list[NewJob]:
        """The jobs as they are stored; what hooks skip is left out.

        Every job that is added passes here or in `prepared_one`, and only here.

        Raises:
            ConfigurationError: one of them is no `NewJob`.
            JobScheduleFailed: a hook refused one.
        """
        return [self._timed(job) for job in schedule_many(self.hooks, map(_checked, jobs))]

    def prepared_one(self, job: NewJob, operation: str) -> NewJob:
        """One job as it is stored.

        Args:
            job: to be added.
            operation: `add_job` or `add_batch_job`, after which it is still a batch.

        Raises:
            JobScheduleSkipped: a hook skipped it.
            JobScheduleFailed: a hook refused it.
        """
        ask = schedule_batch if operation == "add_batch_job" else schedule
        return self._timed(ask(self.hooks, _checked(job)))

    def _timed(self, job: NewJob) -> NewJob:
        if not self.use_local_time or given(job.spec.run_at) is not None:
            return job
        spec = dataclasses.replace(job.spec, run_at=datetime.now(UTC))
        return dataclasses.replace(job, spec=spec)


def _checked(job: NewJob) -> NewJob:
    if not isinstance(job, NewJob):
        raise ConfigurationError(f"expected a job made with task.job(…), got {job!r}")
    return job
