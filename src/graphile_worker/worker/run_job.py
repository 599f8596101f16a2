"""One job: decode the payload, call the handler, decide the outcome."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from graphile_worker.errors import JobLostError, PayloadError, PermanentFailure, Snooze
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.current_job import enter_job
from graphile_worker.jobs.outcome import COMPLETED, HANDED_BACK, Outcome, Unfinished, Verdict
from graphile_worker.runtime.duration import duration
from graphile_worker.runtime.log_fields import log_fields
from graphile_worker.tasks.batch_results import batch_outcome
from graphile_worker.tasks.context import Environment, SyncWorkerContext, WorkerContext
from graphile_worker.tasks.error_text import error_text, storable
from graphile_worker.tasks.registry import TaskRegistry
from graphile_worker.tasks.task import Task
from graphile_worker.worker.call_result import CallResult, Raised, delay_of
from graphile_worker.worker.settings import WorkerSettings, cpus, seconds
from graphile_worker.worker.task_ids import TaskIds
from graphile_worker.worker.thread_pool import ThreadPool

if TYPE_CHECKING:
    from graphile_worker.worker.process_pool import ProcessPool
    from graphile_worker.worker.task_path import TaskPath

logger = logging.getLogger(__name__)

_LONGEST_DELAY: Final = timedelta(days=36_500)
_SAYS_ALL: Final = (PermanentFailure, PayloadError)
"""Errors whose traceback would show nothing but our own frames."""


def check_executors(registry: TaskRegistry) -> None:
    """Refuse, before anything is connected, a process task that no other process could find."""
    for task in registry.values():
        if task.executor == "process":
            _path_of(task)


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended, and what was raised, if anything."""

    outcome: Outcome | None
    """None: a hook wants the job left as it is, locked."""
    error: BaseException | None = None
    was_cut_off: bool = False
    """The worker's shutdown did not wait for its end."""
    is_stored: bool = False
    """Whether the handler's own transaction has completed the job."""


def is_final(outcome: Outcome, job: ClaimedJob) -> bool:
    """Whether a job did not run well and will never run again."""
    if not isinstance(outcome, Unfinished):
        return False
    spent = outcome.verdict is Verdict.SPENT and job.attempts >= job.max_attempts
    return spent or outcome.verdict is Verdict.EXHAUSTED


DONE: Final = Run(COMPLETED)
"""How most jobs end."""
_STORED = Run(COMPLETED, is_stored=True)


class JobRunner:
    """Runs handlers: on the loop, in threads, in processes.

    Whatever a handler raises ends as an outcome of its job, `SystemExit` and `KeyboardInterrupt`
    included: a job cannot stop its worker.
    """

    def __init__(
        self,
        options: WorkerSettings,
        environment: Environment,
        task_ids: TaskIds,
        *,
        on_thread_abandoned: Callable[[], None],
        on_thread_returned: Callable[[], None],
        cut_off: Callable[[], Outcome | None],
    ) -> None:
        self._environment = environment
        self._tasks = task_ids.by_id
        self._cut_off = cut_off
        self._threads = ThreadPool(
            options.thread_workers or options.concurrency,
            on_abandon=on_thread_abandoned,
            on_return=on_thread_returned,
        )
        self._process_workers = options.process_workers
        self._processes: ProcessPool | None = None

    async def aclose(self) -> None:
        """End threads and processes; a thread that hangs is left behind."""
        await self._threads.aclose()
        if self._processes is not None:
            await self._processes.aclose()

    async def run(self, job: ClaimedJob) -> Run:
        """Run a job to its outcome; never raises.

        Cancel safety: where the worker cuts its handlers off, `cut_off` says what becomes of the
        job; a cancellation of any other origin is a failure of the handler.
        """
        task = self._tasks[job.task_id]
        enter_job((job, task.identifier))
        context = self._context(task, job) if task.takes_context else None
        try:
            if task.is_awaited_plainly:
                # Most jobs; each call less between the worker and a handler counts.
                if context is not None:
                    await task.fn(*_arguments(task, job, context))
                elif task.takes_payload:
                    await task.fn(task.decode(job.payload))
                else:
                    await task.fn()
                run = DONE
            else:
                run = await self._call(task, job, context)
        except asyncio.CancelledError as error:
            run = self.cancelled(job, error, context)
        except BaseException as error:  # noqa: BLE001 (a handler may raise anything)
            run = self._failed(task, job, error, context)
        return run if context is None or not context.is_completed else _STORED

    def cancelled(
        self,
        job: ClaimedJob,
        error: BaseException,
        context: WorkerContext | SyncWorkerContext | None = None,
    ) -> Run:
        """The run of a job that was cancelled: cut off by the worker, or failed."""
        outcome = self._cut_off()
        if outcome is None:
            return self._failed(self._tasks[job.task_id], job, error, context)
        return Run(outcome, error, was_cut_off=True)

    def undecided(self, job: ClaimedJob, error: BaseException) -> Run:
        """The run of a job whose outcome got lost after its handler, or its hooks: a failure."""
        outcome = self._cut_off() if isinstance(error, asyncio.CancelledError) else None
        if outcome is not None:
            return Run(outcome, error, was_cut_off=True)
        log_fields(logger, logging.ERROR, "%s has no outcome", self.describe(job), error=error)
        return Run(Unfinished(Verdict.SPENT, error_text(error)), error)

    def fail(self, job: ClaimedJob, reason: str, *, instead_of: Run | None = None) -> Run:
        """A run that hooks made a failure.

        Args:
            job: the job.
            reason: stored as it is.
            instead_of: how the run would have ended. If that is a failure too, it stays one of its
                kind, and only the reason is another.
        """
        reason = storable(reason)
        ended = None if instead_of is None else instead_of.outcome
        if isinstance(ended, Unfinished) and ended.verdict is not Verdict.REFUNDED:
            outcome = dataclasses.replace(ended, error=reason)
        else:
            task = self._tasks[job.task_id]
            outcome = _with_backoff(Unfinished(Verdict.SPENT, reason), task, job)
        _log_failure(self._tasks[job.task_id], job, reason)
        return Run(outcome, JobFailedError(reason))

    def describe(self, job: ClaimedJob) -> str:
        """How a job is called in warnings."""
        return f"job {job.id} ({self._tasks[job.task_id].identifier})"

    def _context(self, task: Task[Any], job: ClaimedJob) -> WorkerContext | SyncWorkerContext:
        kind = SyncWorkerContext if task.executor == "thread" else WorkerContext
        return kind(job, task.identifier, self._environment, is_batch=task.is_batch)

    async def _call(
        self, task: Task[Any], job: ClaimedJob, context: WorkerContext | SyncWorkerContext | None
    ) -> Run:
        if task.executor == "process":
            return self._ended(task, job, context, await self._call_in_process(task, job))
        if task.executor == "thread":
            return self._ended(task, job, context, await self._call_in_thread(task, job, context))
        arguments = _arguments(task, job, context)
        if task.timeout is None:
            returned = await task.fn(*arguments)
        else:
            returned = await _within(seconds(task.timeout), task.fn(*arguments))
        return DONE if not task.is_batch else self._batch_ended(task, job, returned)

    async def _call_in_thread(
        self, task: Task[Any], job: ClaimedJob, context: WorkerContext | SyncWorkerContext | None
    ) -> CallResult[Any]:
        # The payload is decoded in the thread: a large one would hold up the loop.
        def call() -> Any:
            return task.fn(*_arguments(task, job, context))

        timeout = None if task.timeout is None else seconds(task.timeout)
        return await self._threads.call(call, name=self.describe(job), timeout=timeout)

    async def _call_in_process(self, task: Task[Any], job: ClaimedJob) -> CallResult[None]:
        # Few workers have such tasks, and the imports take their time.
        from graphile_worker.worker.process_pool import ProcessPool  # noqa: PLC0415

        if self._processes is None:
            self._processes = ProcessPool(self._process_workers or cpus())
        timeout = None if task.timeout is None else seconds(task.timeout)
        return await self._processes.call(_path_of(task), job.payload, timeout=timeout)

    def _ended(
        self,
        task: Task[Any],
        job: ClaimedJob,
        context: WorkerContext | SyncWorkerContext | None,
        result: CallResult[Any],
    ) -> Run:
        if isinstance(result, Raised):
            return self._failed(task, job, result.error, context)
        if inspect.iscoroutine(result.value):
            # Nobody awaited it: what looks done has not even begun.
            result.value.close()
            text = (
                f"{task.identifier} returned a coroutine; make it `async def`, or executor='async'"
            )
            return self._failed(task, job, TypeError(text), context)
        return DONE if not task.is_batch else self._batch_ended(task, job, result.value)

    def _batch_ended(self, task: Task[Any], job: ClaimedJob, returned: Any) -> Run:
        outcome = batch_outcome(job.payload, returned)
        if isinstance(outcome, Unfinished):
            _log_failure(task, job, outcome.error)
            return Run(_with_backoff(outcome, task, job), JobFailedError(outcome.error or ""))
        return DONE

    def _failed(
        self,
        task: Task[Any],
        job: ClaimedJob,
        error: BaseException,
        context: WorkerContext | SyncWorkerContext | None,
    ) -> Run:
        if context is not None and context.is_completed:
            name = self.describe(job)
            text = "%s is done, and raised after its commit"
            log_fields(logger, logging.ERROR, text, name, error=error)
            return _STORED
        match error:
            case JobLostError(job_id=job.id):
                # Told when this is not stored, either.
                return Run(HANDED_BACK, error)
            case Snooze():
                return self._snoozed(task, job, error, context)
            case PermanentFailure():
                outcome = Unfinished(Verdict.EXHAUSTED, error_text(error))
            case _:
                outcome = _with_backoff(Unfinished(Verdict.SPENT, error_text(error)), task, job)
        _log_failure(task, job, outcome.error, error)
        return Run(outcome, error)

    def _snoozed(
        self,
        task: Task[Any],
        job: ClaimedJob,
        error: Snooze,
        context: WorkerContext | SyncWorkerContext | None,
    ) -> Run:
        try:
            delay = _bounded(delay_of(error))
        except Exception as broken:  # noqa: BLE001 (a class of the program's)
            return self._failed(task, job, broken, context)
        return Run(Unfinished(Verdict.REFUNDED, None, delay), error)


def _arguments(
    task: Task[Any], job: ClaimedJob, context: WorkerContext | SyncWorkerContext | None
) -> list[Any]:
    arguments: list[Any] = [task.decode(job.payload)] if task.takes_payload else []
    if context is not None:
        arguments.append(context)
    return arguments


def _bounded(delay: timedelta) -> float:
    """Seconds, within what a timestamp of PostgreSQL can be moved by."""
    return min(max(delay, timedelta(0)), _LONGEST_DELAY).total_seconds()


def _path_of(task: Task[Any]) -> TaskPath:
    from graphile_worker.worker.task_path import task_path  # noqa: PLC0415 (as the pool)

    return task_path(task)


class JobFailedError(Exception):
    """Stands for failed items of a batch, or for a hook's reason, where no exception does."""


async def _within(limit: float, handler: Any) -> Any:
    """Await a handler with a timeout; its own `TimeoutError` is told from ours."""
    deadline = asyncio.timeout(limit)
    try:
        async with deadline:
            return await handler
    except TimeoutError:
        if deadline.expired():
            raise TimeoutError(f"{limit:g} s") from None
        raise


def _with_backoff(outcome: Unfinished, task: Task[Any], job: ClaimedJob) -> Unfinished:
    """The outcome with the task's own delay, where it has one."""
    if task.backoff is None:
        return outcome
    try:
        delay = duration("backoff", task.backoff(job.attempts))
    except Exception as error:  # noqa: BLE001 (a function of the program's)
        text = "the backoff of %r failed; using the default"
        log_fields(logger, logging.ERROR, text, task.identifier, error=error)
        return outcome
    return Unfinished(outcome.verdict, outcome.error, _bounded(delay), outcome.payload)


def _log_failure(
    task: Task[Any], job: ClaimedJob, text: str | None, error: BaseException | None = None
) -> None:
    final = job.attempts >= job.max_attempts or isinstance(error, PermanentFailure)
    log_fields(
        logger,
        logging.ERROR if final else logging.WARNING,
        "job %s (%s) failed for good (attempt %d of %d): %s"
        if final
        else "job %s (%s) failed (attempt %d of %d): %s",
        job.id,
        task.identifier,
        job.attempts,
        job.max_attempts,
        text,
        error=None if isinstance(error, _SAYS_ALL) else error,
        fields={
            "event": "JobPermanentlyFail" if final else "JobFail",
            "job_id": job.id,
            "task_identifier": task.identifier,
            "attempt": job.attempts,
        },
    )
