"""The calls of `SyncWorkerUtils` that change jobs and look at them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from graphile_worker.client.calls import SyncCalls
from graphile_worker.client.operations import changing, looking
from graphile_worker.client.operations.changing import ChangedJobs, Changes, JobOrId
from graphile_worker.client.operations.cleaning import CleanupTask, clean, in_order, preview
from graphile_worker.database.conflicts import giving_way_sync
from graphile_worker.database.operation import ask
from graphile_worker.jobs.job import Job, JobState
from graphile_worker.jobs.spec import RunAt
from graphile_worker.queries import manage_jobs, overview
from graphile_worker.queries.manage_jobs import Stats
from graphile_worker.queries.overview import ActiveWorker, JobQueue, LockedWorker
from graphile_worker.recovery.sweep import SweepResult, sweep_by_hand
from graphile_worker.recovery.sweep_events import SweepEvents
from graphile_worker.recovery.sweeping import sweep_sync
from graphile_worker.runtime.duration import Duration


class SyncManagesJobs(SyncCalls):
    """Changes jobs, cleans up, looks; arguments, answers and errors are those of `WorkerUtils`."""

    def remove_job(self, key: str) -> Job | None:
        """Remove the job with this key, None if there is none; see `WorkerUtils.remove_job`."""
        return self._run(changing.remove(self._setup, key))

    def complete_jobs(self, ids: Iterable[JobOrId]) -> ChangedJobs:
        """Delete jobs, as if they had run well; see `WorkerUtils.complete_jobs`."""
        return self._run(changing.complete(self._setup, ids))

    def permanently_fail_jobs(
        self, ids: Iterable[JobOrId], reason: str | None = None
    ) -> ChangedJobs:
        """Let jobs have failed for good; see `WorkerUtils.permanently_fail_jobs`."""
        return self._run(changing.permanently_fail(self._setup, ids, reason))

    def reschedule_jobs(
        self,
        ids: Iterable[JobOrId],
        *,
        run_at: RunAt | None = None,
        priority: int | None = None,
        attempts: int | None = None,
        max_attempts: int | None = None,
    ) -> ChangedJobs:
        """Change when and how jobs run; see `WorkerUtils.reschedule_jobs`."""
        changes = Changes(
            run_at=run_at, priority=priority, attempts=attempts, max_attempts=max_attempts
        )
        return self._run(changing.reschedule(self._setup, ids, changes))

    def force_unlock_workers(self, worker_ids: Iterable[str]) -> None:
        """Unlock what these dead workers hold; see `WorkerUtils.force_unlock_workers`."""
        self._run(changing.force_unlock(self._setup, worker_ids))

    def cleanup(
        self, tasks: Iterable[CleanupTask] = tuple(CleanupTask), *, dry_run: bool = False
    ) -> dict[CleanupTask, int]:
        """Delete what nobody needs; see `WorkerUtils.cleanup`."""
        self._own_database("cleanup")
        if dry_run:
            return self._run(preview(self._setup, tasks))
        return {
            task: self._run_together(partial(clean, self._setup, task)) for task in in_order(tasks)
        }

    def sweep_stale_workers(
        self,
        sweep_threshold: Duration | None = None,
        recovery_delay: Duration | None = None,
        dry_run: bool = False,  # noqa: FBT001, FBT002 (public signature)
    ) -> SweepResult:
        """Free the jobs of workers that fell silent; see `WorkerUtils.sweep_stale_workers`."""
        database = self._own_database("sweep_stale_workers")
        how = sweep_by_hand(
            self._setup.schema, sweep_threshold=sweep_threshold, recovery_delay=recovery_delay
        )
        events = SweepEvents.registered(self._setup.hooks)
        return giving_way_sync(lambda: sweep_sync(database, how, events, dry_run=dry_run))

    def get_job(self, job_id: int) -> Job | None:
        """One job by its id; None when it is done or never was."""
        return self._run(looking.job_by_id(self._setup, job_id))

    def list_jobs(
        self,
        state: str | JobState = "all",
        identifier: str | None = None,
        queue: str | None = None,
        search: str | None = None,
        limit: int | None = 100,
        offset: int = 0,
    ) -> list[Job]:
        """Jobs by id ascending; see `WorkerUtils.list_jobs`."""
        wanted = looking.job_filter(state, identifier, queue, search)
        return self._run(looking.jobs(self._setup, wanted, limit=limit, offset=offset))

    def stats(self) -> Stats:
        """How many jobs there are, by state."""
        return self._run(ask(manage_jobs.stats(self._setup.schema)))

    def queues(self) -> list[JobQueue]:
        """All named queues, by name."""
        return self._run(ask(overview.job_queues(self._setup.schema)))

    def locked_workers(self) -> list[LockedWorker]:
        """Who holds locks, by id; see `WorkerUtils.locked_workers`."""
        return self._run(ask(overview.locked_workers(self._setup.schema)))

    def list_active_workers(self, threshold: Duration = looking.STALE_AFTER) -> list[ActiveWorker]:
        """Workers that registered themselves; see `WorkerUtils.list_active_workers`."""
        return self._run(looking.active_workers(self._setup, threshold))
