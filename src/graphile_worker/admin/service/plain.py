"""What clients of the Rust implementation's admin server look at: plain lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from graphile_worker.admin.service.sessions import LONG_SECONDS, Sessions
from graphile_worker.client.operations import looking
from graphile_worker.client.setup import Setup
from graphile_worker.database.operation import Operation, ask, perform
from graphile_worker.jobs.job import Job
from graphile_worker.queries import admin_jobs, manage_jobs, overview
from graphile_worker.queries.manage_jobs import Stats
from graphile_worker.queries.overview import ActiveWorker, JobQueue, LockedWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainOverview:
    """Everything but the jobs themselves."""

    stats: Stats
    queues: list[JobQueue]
    workers: list[LockedWorker]
    active_workers: list[ActiveWorker]


class PlainReading:
    """Reads whole tables, unlike `Reading`: for scripts that ask now and then.

    Args:
        sessions: the database.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._setup = Setup(schema=sessions.schema)

    async def overview(self) -> PlainOverview:
        """Counts, queues, workers."""
        async with self._sessions.reading(LONG_SECONDS) as connection:
            return await perform(connection, _overview(self._setup))

    async def jobs(
        self,
        *,
        state: str,
        identifier: str | None,
        queue: str | None,
        search: str | None,
        limit: int,
        offset: int,
    ) -> list[Job]:
        """Jobs by id; see `WorkerUtils.list_jobs`."""
        wanted = looking.job_filter(state, identifier, queue, search)
        async with self._sessions.reading(LONG_SECONDS) as connection:
            return await perform(
                connection, looking.jobs(self._setup, wanted, limit=limit, offset=offset)
            )

    async def job(self, job_id: int) -> Job | None:
        """One job."""
        return await self._sessions.read(manage_jobs.get_job(self._sessions.schema, job_id))

    async def ids_of_names(self, jobs: Iterable[Job]) -> dict[tuple[str, str], int]:
        """The ids of the tasks and queues of jobs, by kind and name."""
        found = list(jobs)
        statement = admin_jobs.ids_of_names(
            self._sessions.schema,
            sorted({job.task_identifier for job in found}),
            sorted({job.queue_name for job in found if job.queue_name is not None}),
        )
        return await self._sessions.read(statement)


def _overview(setup: Setup) -> Operation[PlainOverview]:
    stats = yield from ask(manage_jobs.stats(setup.schema))
    queues = yield from ask(overview.job_queues(setup.schema))
    workers = yield from ask(overview.locked_workers(setup.schema))
    active = yield from looking.active_workers(setup, looking.STALE_AFTER)
    return PlainOverview(stats=stats, queues=queues, workers=workers, active_workers=active)
