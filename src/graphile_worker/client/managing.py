"""The calls of `WorkerUtils` that change jobs and look at them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from graphile_worker.client.calls import Calls
from graphile_worker.client.operations import changing, looking
from graphile_worker.client.operations.changing import ChangedJobs, Changes, JobOrId
from graphile_worker.client.operations.cleaning import CleanupTask, clean, in_order, preview
from graphile_worker.database.conflicts import giving_way
from graphile_worker.database.operation import ask
from graphile_worker.jobs.job import Job, JobState
from graphile_worker.jobs.spec import RunAt
from graphile_worker.queries import manage_jobs, overview
from graphile_worker.queries.manage_jobs import Stats
from graphile_worker.queries.overview import ActiveWorker, JobQueue, LockedWorker
from graphile_worker.recovery.sweep import SweepResult, sweep_by_hand
from graphile_worker.recovery.sweep_events import SweepEvents
from graphile_worker.recovery.sweeping import sweep
from graphile_worker.runtime.duration import Duration


class ManagesJobs(Calls):
    """Changes jobs, cleans up, and looks at what is there.

    A job that a worker took within the last four hours is running: changing it is refused, and it
    is among the `skipped`. An older lock counts as left behind; the job is changed, and its lock
    stays, with that of its queue, until `force_unlock_workers` or a sweep.
    """

    async def remove_job(self, key: str) -> Job | None:
        """Remove the job with this key.

        A running job cannot be stopped: it loses its key and is not retried.

        Returns:
            The job, or None when no job has this key.
        """
        return await self._run(changing.remove(self._setup, key))

    async def complete_jobs(self, ids: Iterable[JobOrId]) -> ChangedJobs:
        """Delete jobs, as if they had run well.

        Args:
            ids: jobs, or their ids.
        """
        return await self._run(changing.complete(self._setup, ids))

    async def permanently_fail_jobs(
        self, ids: Iterable[JobOrId], reason: str | None = None
    ) -> ChangedJobs:
        """Let jobs have failed for good: they keep their keys, and have no attempts left.

        Args:
            ids: jobs, or their ids.
            reason: becomes their `last_error`; by default `Manually marked as failed`.
        """
        return await self._run(changing.permanently_fail(self._setup, ids, reason))

    async def reschedule_jobs(
        self,
        ids: Iterable[JobOrId],
        *,
        run_at: RunAt | None = None,
        priority: int | None = None,
        attempts: int | None = None,
        max_attempts: int | None = None,
    ) -> ChangedJobs:
        """Change when and how jobs run; what is not given stays as it is, `last_error` too.

        Nobody is told: a job that is due now is found when a worker next polls.

        Args:
            ids: jobs, or their ids.
            run_at: not before; a timedelta counts from now on the database's clock.
            priority: lower numbers run first.
            attempts: how often it counts as tried; 0 gives a failed job all of its attempts again.
            max_attempts: how often it may be tried.

        Raises:
            ConfigurationError: nothing is to be changed, or to a value the database would refuse.

        Example:
            await utils.reschedule_jobs(failed, run_at=timedelta(0), attempts=0)
        """
        changes = Changes(
            run_at=run_at, priority=priority, attempts=attempts, max_attempts=max_attempts
        )
        return await self._run(changing.reschedule(self._setup, ids, changes))

    async def force_unlock_workers(self, worker_ids: Iterable[str]) -> None:
        """Unlock the jobs and queues that these workers hold, at once.

        Only for workers that are dead: what a living one is running would be run a second time.
        Attempts stay counted.
        """
        await self._run(changing.force_unlock(self._setup, worker_ids))

    async def cleanup(
        self, tasks: Iterable[CleanupTask] = tuple(CleanupTask), *, dry_run: bool = False
    ) -> dict[CleanupTask, int]:
        """Delete what nobody needs, each task in a transaction of its own.

        Identifiers of tasks stay where a worker that registered itself knows them, and those that
        this program's worker knows, if it made these utils. Adding jobs waits for a moment
        meanwhile.

        Args:
            tasks: what to do; by default all of it.
            dry_run: only count, without a lock.

        Returns:
            How many rows each task deleted, or would delete, in the order in which they are done.

        Raises:
            ConfigurationError: on a connection of the caller's.
            DatabaseError: a transaction that adds jobs was open for seconds (SQLSTATE 55P03).
        """
        self._own_database("cleanup")
        if dry_run:
            return await self._run(preview(self._setup, tasks))
        return {
            task: await self._run_together(partial(clean, self._setup, task))
            for task in in_order(tasks)
        }

    async def sweep_stale_workers(
        self,
        sweep_threshold: Duration | None = None,
        recovery_delay: Duration | None = None,
        dry_run: bool = False,  # noqa: FBT001, FBT002 (public signature)
    ) -> SweepResult:
        """Free the jobs of workers that fell silent, and of owners that never registered.

        Args:
            sweep_threshold: how long they have to be silent; default: 5 minutes.
            recovery_delay: when the jobs may run again; default: in 30 seconds.
            dry_run: only look; hooks are neither asked nor told.

        Returns:
            Whom it found, and how many jobs it freed; nobody while another sweep is under way.

        Raises:
            ConfigurationError: on a connection of the caller's.
        """
        database = self._own_database("sweep_stale_workers")
        how = sweep_by_hand(
            self._setup.schema, sweep_threshold=sweep_threshold, recovery_delay=recovery_delay
        )
        self._check_loop()
        events = SweepEvents.registered(self._setup.hooks)
        return await giving_way(lambda: sweep(database, how, events, dry_run=dry_run))

    async def get_job(self, job_id: int) -> Job | None:
        """One job by its id; None when it is done or never was."""
        return await self._run(looking.job_by_id(self._setup, job_id))

    async def list_jobs(
        self,
        state: str | JobState = "all",
        identifier: str | None = None,
        queue: str | None = None,
        search: str | None = None,
        limit: int | None = 100,
        offset: int = 0,
    ) -> list[Job]:
        """Jobs by id ascending.

        Args:
            state: `all`, `ready`, `scheduled`, `locked` or `failed`; or finer, `running` and
                `stuck` of the locked ones, `retrying` of the scheduled ones, `blocked` (by their
                queue) and `unclaimed` (no worker knows the task) of the ready ones.
            identifier: only this task.
            queue: only this queue.
            search: text to find in id, key, task, queue, owner, error or payload, in any case.
            limit: at most so many; None for all.
            offset: leave out the first so many.

        Raises:
            ConfigurationError: an unknown state, a negative limit or offset.
        """
        wanted = looking.job_filter(state, identifier, queue, search)
        return await self._run(looking.jobs(self._setup, wanted, limit=limit, offset=offset))

    async def stats(self) -> Stats:
        """How many jobs there are, by state."""
        return await self._run(ask(manage_jobs.stats(self._setup.schema)))

    async def queues(self) -> list[JobQueue]:
        """All named queues, by name."""
        return await self._run(ask(overview.job_queues(self._setup.schema)))

    async def locked_workers(self) -> list[LockedWorker]:
        """Who holds locks, by id; also workers of other implementations, and dead ones."""
        return await self._run(ask(overview.locked_workers(self._setup.schema)))

    async def list_active_workers(
        self, threshold: Duration = looking.STALE_AFTER
    ) -> list[ActiveWorker]:
        """Workers that registered themselves, the last to be heard of first.

        Args:
            threshold: who has been silent for longer is marked as stale.
        """
        return await self._run(looking.active_workers(self._setup, threshold))
