"""The calls of `WorkerUtils` that pause and resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from graphile_worker.client.calls import Calls
from graphile_worker.client.operations import pausing
from graphile_worker.client.operations.pausing import Paused, ResumedQueue
from graphile_worker.jobs.definition import JobDefinition
from graphile_worker.queries.pauses import Pause, PausedQueue

if TYPE_CHECKING:  # they read time zones and texts, which nobody needs to pause
    from graphile_worker.cron.builder import Cron
    from graphile_worker.cron.crontab import Crontab

TaskOrName: TypeAlias = "JobDefinition[Any] | type | str"
"""A task, a task class, or the identifier of one."""

CronOrName: TypeAlias = "Cron[Any] | Crontab | str"
"""An entry of a crontab, or its identifier."""


class PausesJobs(Calls):
    """Pauses named queues for all workers; tasks, cron entries and everything for Python's.

    Whatever is running ends as usual. Nothing is lost: jobs wait, and can be added. A pause stays
    until it is resumed, whoever starts or stops meanwhile.

    In all calls `by` is who does it, for others to see. Pausing what is paused already changes
    nothing. The first pause of a task, a cron entry or of everything makes the table `_gwx_pause`,
    for which this role has to own the schema, or to have CREATE in it.
    """

    async def pause_queue(self, queue_name: str, *, by: str = "") -> PausedQueue:
        """Let no worker, not even of Node.js or Rust, take another job of a named queue.

        Args:
            queue_name: made where it is missing, so that it can be paused in advance.
            by: who does it.
        """
        return await self._run_together(lambda: pausing.pause_queue(self._setup, queue_name, by))

    async def resume_queue(self, queue_name: str, *, by: str = "") -> ResumedQueue:
        """Let workers take jobs of a named queue again.

        While a job of it is still running, the queue waits for that: two would run at once. A
        running Python worker, or `finish_resuming`, frees it then.
        """
        return await self._run_together(lambda: pausing.resume_queue(self._setup, queue_name, by))

    async def finish_resuming(self) -> list[str]:
        """Free the queues that were resumed while a job of theirs ran, and whose job has ended.

        Python workers do so about once a second while there are such queues.

        Returns:
            The queues that were freed by this call.
        """
        return await self._run_together(lambda: pausing.finish_resuming(self._setup))

    async def pause_task(self, task: TaskOrName, *, by: str = "") -> Pause:
        """Let Python workers start no job of a task; within a second, where they LISTEN."""
        name = pausing.task_name(task)
        return await self._run_together(lambda: pausing.pause(self._setup, "task", name, by))

    async def resume_task(self, task: TaskOrName) -> bool:
        """Let Python workers run a task again; False: it was not paused."""
        name = pausing.task_name(task)
        return await self._run_together(lambda: pausing.resume(self._setup, "task", name))

    async def pause_cron(self, entry: CronOrName, *, by: str = "") -> Pause:
        """Let Python workers add no job of a cron entry; what falls into the pause is left out."""
        name = pausing.cron_name(entry)
        return await self._run_together(lambda: pausing.pause(self._setup, "cron", name, by))

    async def resume_cron(self, entry: CronOrName) -> bool:
        """Let Python workers add the jobs of a cron entry again; False: it was not paused."""
        name = pausing.cron_name(entry)
        return await self._run_together(lambda: pausing.resume(self._setup, "cron", name))

    async def pause_all(self, *, by: str = "") -> Pause:
        """Let Python workers start no job at all; recurring jobs are added, and wait."""
        return await self._run_together(lambda: pausing.pause(self._setup, "all", "", by))

    async def resume_all(self) -> bool:
        """End `pause_all`; what is paused by its name stays so. False: it was not paused."""
        return await self._run_together(lambda: pausing.resume(self._setup, "all", ""))

    async def paused(self) -> Paused:
        """All that is paused now."""
        return await self._run(pausing.paused(self._setup))
