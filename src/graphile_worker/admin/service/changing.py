"""Acting on a queue: every button and every POST of the API."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from graphile_worker.admin.service.actions import Act, Outcome, Report, carry_out, carry_out_on_free
from graphile_worker.admin.service.audit import Audit
from graphile_worker.admin.service.bulk import CHUNK, BulkOperation, BulkOperations
from graphile_worker.admin.service.filters import JobFilter
from graphile_worker.admin.service.fleet import is_pause
from graphile_worker.admin.service.reading import Reading
from graphile_worker.admin.service.sessions import Sessions
from graphile_worker.client.operations.adding import add_one
from graphile_worker.client.operations.changing import force_unlock, remove
from graphile_worker.client.operations.cleaning import CleanupTask
from graphile_worker.client.operations.pausing import ResumedQueue
from graphile_worker.client.setup import Setup
from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.cron.crontab import CronJobKeyMode, Crontab
from graphile_worker.database.operation import Operation, perform
from graphile_worker.errors import ConfigurationError, DatabaseError
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import JobKeyMode, JobSpec
from graphile_worker.queries.pauses import Pause, PausedQueue
from graphile_worker.recovery.sweep import SweepResult

T = TypeVar("T")

_HELD: Final = frozenset({"55P03", "40P01"})
"""Lock timeout, deadlock: another transaction has what this one needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What resuming a task, a cron entry or everything came to."""

    was_paused: bool


class Changing:
    """Acts, and tells the audit of it. Not made at all where everything is read-only.

    All of it goes through the operations of `WorkerUtils`. Used on one event loop.

    Args:
        sessions: the database; this closes nothing of it.
        reading: finds the jobs that a filter means.
        audit: told of everything.
        hooks: asked about jobs that are added.
    """

    def __init__(
        self,
        sessions: Sessions,
        reading: Reading,
        audit: Audit,
        hooks: HookRegistry | None = None,
    ) -> None:
        self._sessions = sessions
        self._reading = reading
        self._audit = audit
        self._setup = Setup(schema=sessions.schema, hooks=hooks)
        self._hooks = hooks
        self.operations = BulkOperations()

    async def aclose(self) -> None:
        """End what is under way, after its chunk."""
        await self.operations.aclose()

    # -- jobs ------------------------------------------------------------------------------------

    async def act(self, actor: str, act: Act, ids: Sequence[int]) -> Report:
        """Do something to jobs, in one transaction.

        Args:
            actor: who wants it.
            act: what.
            ids: at most 1,000.

        Raises:
            ConfigurationError: none, or too many.
        """
        return (await self.act_with_jobs(actor, act, ids)).report

    async def act_with_jobs(self, actor: str, act: Act, ids: Sequence[int]) -> Outcome:
        """`act`, with the jobs that were changed."""
        if not ids:
            raise ConfigurationError("select at least one job")
        if len(ids) > CHUNK:
            raise ConfigurationError(
                f"at most {CHUNK:,} jobs at once, got {len(ids):,}; use an operation for more"
            )
        done = await self._carry_out(act, list(dict.fromkeys(ids)))
        self._reading.changed()
        await self._audit.tell(actor, act.action.value, {"ids": list(ids)}, _numbers(done.report))
        return done

    async def start(
        self, actor: str, act: Act, wanted: JobFilter, *, newest_id: int | None = None
    ) -> BulkOperation:
        """Begin to do something to all jobs of a filter; see `operations` for how it goes.

        Args:
            actor: who wants it.
            act: what.
            wanted: to which jobs.
            newest_id: of the preview; None: of now.

        Raises:
            ConfigurationError: too many operations are under way.
        """
        if newest_id is None:
            newest_id = await self._reading.jobs.newest_id()
        count = await self._reading.jobs.count(wanted)
        fixed = dataclasses.replace(
            wanted, wanted=dataclasses.replace(wanted.wanted, newest_id=newest_id or 0)
        )
        operation = self.operations.start(
            actor,
            act,
            fields=wanted.fields,
            newest_id=newest_id,
            total=count.jobs if count.is_exact else None,
            chunks=lambda: self._reading.jobs.walk(fixed, chunk=CHUNK),
            do=lambda ids: self._reported(act, ids),
            ended=self._ended,
        )
        target = {"operation": operation.id, "filter": wanted.fields, "newest_id": newest_id}
        await self._audit.tell(actor, f"{act.action.value} (begin)", target)
        return operation

    async def cancel(self, actor: str, operation_id: str) -> BulkOperation | None:
        """End an operation after its chunk; None when there is no such operation."""
        operation = await self.operations.cancel(operation_id)
        if operation is not None:
            await self._audit.tell(actor, "cancel", {"operation": operation_id})
        return operation

    async def add_job(self, actor: str, new: NewJob) -> Job:
        """Add a job.

        Raises:
            JobScheduleSkipped, JobScheduleFailed, JobNotAddedError: see `WorkerUtils.add_job`.
        """
        async with self._sessions.changing() as connection:
            job = await perform(connection, add_one(self._setup, new))
        await self._audit.tell(actor, "enqueue", {"task": new.identifier}, {"id": job.id})
        return job

    async def remove_by_key(self, actor: str, key: str) -> Job | None:
        """Remove the job with a key; a running one loses its key and is not retried."""
        async with self._sessions.changing() as connection:
            job = await perform(connection, remove(self._setup, key))
        await self._audit.tell(actor, "remove_by_key", {"key": key}, {"id": job and job.id})
        return job

    async def run_cron(self, actor: str, crontab: Crontab) -> Job:
        """Add the job of an entry now, as its schedule would."""
        minute = datetime.now(UTC).replace(second=0, microsecond=0)
        new = NewJob(
            identifier=crontab.task,
            payload=crontab.payload_at(minute, backfilled=False),
            spec=_cron_spec(crontab),
        )
        async with self._sessions.changing() as connection:
            job = await perform(connection, add_one(self._setup, new))
        await self._audit.tell(actor, "run_cron", {"cron": crontab.identifier}, {"id": job.id})
        return job

    # -- pausing ---------------------------------------------------------------------------------

    async def pause(self, actor: str, what: str, name: str = "") -> Pause | PausedQueue:
        """Pause something, see `WorkerUtils.pause_queue` and those beside it.

        Args:
            actor: who does it.
            what: `queue`, `task`, `cron entry` or `everything`.
            name: of it.
        """
        async with self._sessions.changing() as connection:
            utils = WorkerUtils(connection, schema=self._sessions.schema)
            paused: Pause | PausedQueue
            match what:
                case "queue":
                    paused = await utils.pause_queue(name, by=actor)
                case "task":
                    paused = await utils.pause_task(name, by=actor)
                case "cron entry":
                    paused = await utils.pause_cron(name, by=actor)
                case _:
                    paused = await utils.pause_all(by=actor)
        await self._audit.tell(actor, "pause", {what: name})
        return paused

    async def resume(self, actor: str, what: str, name: str = "") -> ResumedQueue | Resumed:
        """Resume something; see `pause`."""
        async with self._sessions.changing() as connection:
            utils = WorkerUtils(connection, schema=self._sessions.schema)
            resumed: ResumedQueue | Resumed
            match what:
                case "queue":
                    resumed = await utils.resume_queue(name, by=actor)
                case "task":
                    resumed = Resumed(was_paused=await utils.resume_task(name))
                case "cron entry":
                    resumed = Resumed(was_paused=await utils.resume_cron(name))
                case _:
                    resumed = Resumed(was_paused=await utils.resume_all())
        await self._audit.tell(actor, "resume", {what: name})
        return resumed

    # -- workers and upkeep ----------------------------------------------------------------------

    async def unlock(self, actor: str, worker_ids: Iterable[str]) -> None:
        """Unlock what these workers hold; only for dead ones, see `WorkerUtils`.

        Raises:
            ConfigurationError: none are given, or one keeps a queue paused and is no worker.
        """
        ids = list(worker_ids)
        if not ids:
            raise ConfigurationError("provide at least one worker id")
        if pauses := [name for name in ids if is_pause(name)]:
            raise ConfigurationError(
                f"{pauses[0][:80]!r} is no worker: it keeps a queue paused; resume that instead"
            )
        async with self._sessions.changing() as connection:
            await perform(connection, force_unlock(self._setup, ids))
        self._reading.changed()
        await self._audit.tell(actor, "unlock", {"workers": ids})

    async def sweep(
        self,
        actor: str,
        *,
        dry_run: bool,
        threshold: timedelta | None = None,
        delay: timedelta | None = None,
    ) -> SweepResult:
        """Free the jobs of workers that fell silent; see `WorkerUtils.sweep_stale_workers`."""
        utils = await self._utils()
        result = await utils.sweep_stale_workers(threshold, delay, dry_run=dry_run)
        if not dry_run:
            self._reading.changed()
            told = {"workers": result.worker_ids, "recovered": result.recovered_count}
            await self._audit.tell(actor, "sweep", {}, told)
        return result

    async def clean_up(self, actor: str, tasks: Iterable[CleanupTask]) -> dict[str, int]:
        """Delete what nobody needs; answers with the rows that each task deleted."""
        wanted = list(tasks)
        utils = await self._utils()
        done = await utils.cleanup(wanted)
        self._reading.changed()
        deleted = {task.value: rows for task, rows in done.items()}
        await self._audit.tell(
            actor, "cleanup", {"tasks": [task.value for task in wanted]}, deleted
        )
        return deleted

    async def migrate(self, actor: str) -> None:
        """Bring the schema to the newest revision."""
        utils = await self._utils()
        await utils.migrate()
        await self._audit.tell(actor, "migrate", {})

    async def _utils(self) -> WorkerUtils:
        return WorkerUtils(
            await self._sessions.database(), schema=self._sessions.schema, hooks=self._hooks
        )

    async def _reported(self, act: Act, ids: list[int]) -> Report:
        return (await self._carry_out(act, ids)).report

    async def _carry_out(self, act: Act, ids: list[int]) -> Outcome:
        """Wait for who holds one of the jobs, for a second; then do it to the others."""
        try:
            return await self._perform(carry_out(self._setup, act, ids))
        except DatabaseError as error:
            if error.sqlstate not in _HELD:
                raise
        return await self._perform(carry_out_on_free(self._setup, act, ids))

    async def _perform(self, operation: Operation[T]) -> T:
        async with self._sessions.changing() as connection:
            return await perform(connection, operation)

    async def _ended(self, operation: BulkOperation) -> None:
        self._reading.changed()
        target = {"operation": operation.id, "filter": operation.filter}
        result = {
            "state": operation.state,
            "changed": operation.changed,
            "skipped": operation.skipped,
            "missing": operation.missing,
        }
        await self._audit.tell(operation.actor, operation.act.action.value, target, result)


def _numbers(report: Report) -> dict[str, Any]:
    return {
        "requested": report.requested,
        "changed": len(report.changed),
        "skipped": len(report.skipped),
        "missing": len(report.missing),
    }


def _cron_spec(crontab: Crontab) -> JobSpec:
    mode = {
        CronJobKeyMode.REPLACE: JobKeyMode.REPLACE,
        CronJobKeyMode.PRESERVE_RUN_AT: JobKeyMode.PRESERVE_RUN_AT,
        None: None,
    }[crontab.job_key_mode]
    return JobSpec(
        queue_name=crontab.queue,
        max_attempts=crontab.max_attempts,
        priority=crontab.priority,
        job_key=crontab.job_key,
        job_key_mode=mode,
        flags=crontab.flags or None,
    )
