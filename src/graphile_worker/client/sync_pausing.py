"""The calls of `SyncWorkerUtils` that pause and resume."""

from __future__ import annotations

from graphile_worker.client.calls import SyncCalls
from graphile_worker.client.operations import pausing
from graphile_worker.client.operations.pausing import Paused, ResumedQueue
from graphile_worker.client.pausing import CronOrName, TaskOrName
from graphile_worker.queries.pauses import Pause, PausedQueue


class SyncPausesJobs(SyncCalls):
    """Pauses and resumes; arguments, answers and errors are those of `WorkerUtils`."""

    def pause_queue(self, queue_name: str, *, by: str = "") -> PausedQueue:
        """Pause a named queue for all workers; see `WorkerUtils.pause_queue`."""
        return self._run_together(lambda: pausing.pause_queue(self._setup, queue_name, by))

    def resume_queue(self, queue_name: str, *, by: str = "") -> ResumedQueue:
        """Resume a named queue; see `WorkerUtils.resume_queue`."""
        return self._run_together(lambda: pausing.resume_queue(self._setup, queue_name, by))

    def finish_resuming(self) -> list[str]:
        """Free resumed queues whose job has ended; see `WorkerUtils.finish_resuming`."""
        return self._run_together(lambda: pausing.finish_resuming(self._setup))

    def pause_task(self, task: TaskOrName, *, by: str = "") -> Pause:
        """Pause a task for Python workers; see `WorkerUtils.pause_task`."""
        name = pausing.task_name(task)
        return self._run_together(lambda: pausing.pause(self._setup, "task", name, by))

    def resume_task(self, task: TaskOrName) -> bool:
        """Resume a task; False: it was not paused."""
        name = pausing.task_name(task)
        return self._run_together(lambda: pausing.resume(self._setup, "task", name))

    def pause_cron(self, entry: CronOrName, *, by: str = "") -> Pause:
        """Pause a cron entry for Python workers; see `WorkerUtils.pause_cron`."""
        name = pausing.cron_name(entry)
        return self._run_together(lambda: pausing.pause(self._setup, "cron", name, by))

    def resume_cron(self, entry: CronOrName) -> bool:
        """Resume a cron entry; False: it was not paused."""
        name = pausing.cron_name(entry)
        return self._run_together(lambda: pausing.resume(self._setup, "cron", name))

    def pause_all(self, *, by: str = "") -> Pause:
        """Pause everything for Python workers; see `WorkerUtils.pause_all`."""
        return self._run_together(lambda: pausing.pause(self._setup, "all", "", by))

    def resume_all(self) -> bool:
        """End `pause_all`; False: it was not paused."""
        return self._run_together(lambda: pausing.resume(self._setup, "all", ""))

    def paused(self) -> Paused:
        """All that is paused now; see `WorkerUtils.paused`."""
        return self._run(pausing.paused(self._setup))
