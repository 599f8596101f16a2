"""What one client is set up with, and what becomes of every new job on its way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from graphile_worker.database.schema import Schema
from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import given


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all calls of one client share.

    Attributes:
        schema: where the tables are.
        use_local_time: jobs without `run_at` get this process's time, not the database's.
        known_tasks: identifiers that cleaning up leaves alone.
    """

    schema: Schema
    use_local_time: bool = False
    known_tasks: frozenset[str] = frozenset()

    def prepared(self, jobs: Iterable[NewJob]) -> list[NewJob]:
        """The jobs as they are stored: every one that is added passes here, and only here.

        Raises:
            ConfigurationError: one of them is no `NewJob`.
        """
        return [self._prepared(job) for job in jobs]

    def _prepared(self, job: NewJob) -> NewJob:
        if not isinstance(job, NewJob):
            raise ConfigurationError(f"expected a job made with task.job(…), got {job!r}")
        if not self.use_local_time or given(job.spec.run_at) is not None:
            return job
        spec = dataclasses.replace(job.spec, run_at=datetime.now(UTC))
        return dataclasses.replace(job, spec=spec)
