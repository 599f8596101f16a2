"""The events of the jobs that one run works on: when each is told, or asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from graphile_worker.hooks.answers import Answer, HookResult, JobRecoveryResult, RecoveryAction
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.hooks.events import (
    AfterJobRun,
    BeforeJobRun,
    JobFail,
    JobInterrupted,
    JobLost,
    JobPermanentlyFail,
    JobRecovery,
    JobSnoozed,
)
from graphile_worker.hooks.handlers import Interceptors, O, Observers
from graphile_worker.hooks.quick_events import job_complete, job_fetch, job_start
from graphile_worker.hooks.reasons import FailureReason
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.outcome import COMPLETED, Outcome, Unfinished, Verdict
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.worker.run_job import JobRunner, Run

IN_A_HURRY: Final = 0.4
"""Seconds for each hook that is asked while the worker is being aborted."""


class _Running:
    """A job that events tell of."""

    __slots__ = ("cut_off", "duration", "job", "worker_id")

    def __init__(self, job: Job, worker_id: str) -> None:
        self.job = job
        self.worker_id = worker_id
        self.duration = 0.0
        self.cut_off: FailureReason | None = None


class JobEvents:
    """Stands between the slots and the runner, and hears of every release.

    Of each job that it has begun with, it tells one end, once: when that is in the database.
    Coroutines among the handlers run in tasks of their own then, so that a slow one does not hold
    up the releases of others; they count as a backlog, for which fewer jobs are claimed.

    Collaborators: `name_of` names the task of a job; `on_told` is called when the backlog shrinks.
    """

    def __init__(
        self,
        hooks: Hooks,
        runner: JobRunner,
        identity: WorkerIdentity,
        *,
        name_of: Callable[[ClaimedJob], str],
        on_told: Callable[[], None],
    ) -> None:
        self._hooks = hooks
        self._runner = runner
        self._identity = identity
        self._name_of = name_of
        self._on_told = on_told
        # By the identity of the claim, as in `Slots`.
        self._running: dict[int, _Running] = {}
        self._telling: set[asyncio.Future[None]] = set()

    @property
    def backlog(self) -> int:
        """How many ends are still being told."""
        return len(self._telling)

    async def wait_told(self) -> None:
        """Wait until every end is told; each handler has its timeout."""
        while self._telling:
            await asyncio.wait(tuple(self._telling))

    async def run(self, claimed: ClaimedJob) -> Run:
        """Run a job, and ask and tell all that belongs before its release; never raises.

        Cancel safety: as `JobRunner.run`.
        """
        hooks, running = self._hooks, self._begin(claimed)
        self._running[id(claimed)] = running
        worker_id = running.worker_id
        run: Run | None = None
        try:
            if hooks.job_fetch is not None:
                fetch = job_fetch(running.job, worker_id)
                if (slow := hooks.job_fetch(fetch)) is not None:
                    await slow
            if hooks.before_job_run is not None:
                ended = await self._before(hooks.before_job_run, claimed, running)
                if ended is not None:
                    return ended
            if hooks.job_start is not None:
                start = job_start(running.job, worker_id)
                if (slow := hooks.job_start(start)) is not None:
                    await slow
            started = time.perf_counter()
            run = await self._runner.run(claimed)
            running.duration = time.perf_counter() - started
            if hooks.after_job_run is not None:
                run = await self._after(hooks.after_job_run, claimed, running, run)
        except asyncio.CancelledError as error:
            # In the middle of a hook. Nobody cancels a job but a shutdown that is out of patience.
            # Where the handler has ended, its outcome stands, as without that hook.
            if run is None:
                run = self._runner.cancelled(claimed, error)
        return run if not run.was_cut_off else await self._recovered(claimed, running, run)

    async def hand_back(self, claimed: ClaimedJob, run: Run) -> Run:
        """A job whose handler does not end although it was cancelled."""
        running = self._running.get(id(claimed))
        return run if running is None else await self._recovered(claimed, running, run)

    def released(
        self, claimed: ClaimedJob, outcome: Outcome, *, lost: bool, is_final: bool
    ) -> None:
        """The end of a job is in the database; tell it."""
        running = self._running.pop(id(claimed), None)
        if running is None:
            return  # nobody heard of its beginning
        slow = self._tell_end(running, outcome, lost=lost, is_final=is_final)
        if slow is not None:
            self._tell_slowly(slow)

    def completed(self, jobs: list[ClaimedJob]) -> None:
        """Jobs that ran well are gone; what `released` does for one, with less ado."""
        tell, begun = self._hooks.job_complete, self._running
        for claimed in jobs:
            running = begun.pop(id(claimed), None)
            if running is None or tell is None:
                continue
            duration = timedelta(0, running.duration)
            slow = tell(job_complete(running.job, running.worker_id, duration))
            if slow is not None:
                self._tell_slowly(slow)

    def _tell_slowly(self, slow: Awaitable[None]) -> None:
        telling = asyncio.ensure_future(slow)
        self._telling.add(telling)
        telling.add_done_callback(self._told)

    def _told(self, telling: asyncio.Future[None]) -> None:
        self._telling.discard(telling)
        self._on_told()

    async def _before(
        self, ask: Interceptors[BeforeJobRun, HookResult], claimed: ClaimedJob, running: _Running
    ) -> Run | None:
        """How it ends without having run, if a hook wants that."""
        job = running.job
        answer = await ask(BeforeJobRun(job=job, worker_id=running.worker_id, payload=job.payload))
        match answer.kind:
            case Answer.CONTINUE:
                return None
            case Answer.SKIP:
                return Run(COMPLETED)
            case Answer.FAIL:
                return self._runner.fail(claimed, answer.reason or "")

    async def _after(
        self,
        ask: Interceptors[AfterJobRun, HookResult],
        claimed: ClaimedJob,
        running: _Running,
        run: Run,
    ) -> Run:
        """How it ends, as hooks have it."""
        question = AfterJobRun(
            job=running.job,
            worker_id=running.worker_id,
            result=run.error,
            duration=timedelta(0, running.duration),
        )
        answer = await ask(question, timeout=IN_A_HURRY if run.was_cut_off else None)
        if run.is_stored:
            return run  # the handler's own transaction has committed: nothing changes that
        match answer.kind:
            case Answer.CONTINUE:
                return run
            case Answer.SKIP:
                return Run(COMPLETED)
            case Answer.FAIL:
                return self._runner.fail(claimed, answer.reason or "", instead_of=run)

    async def _recovered(self, claimed: ClaimedJob, running: _Running, run: Run) -> Run:
        """What becomes of a job that was cut off."""
        by_shutdown = isinstance(run.outcome, Unfinished) and run.outcome.error is not None
        reason = FailureReason.SHUTDOWN_ABORTED if by_shutdown else FailureReason.WORKER_CRASHED
        running.cut_off = reason
        if self._hooks.job_recovery is None or not by_shutdown:
            return run  # a worker that was taken for dead has no say: others have recovered it
        question = JobRecovery(
            job=running.job,
            worker_id=running.worker_id,
            previous_worker_id=running.worker_id,
            reason=reason,
        )
        try:
            answer = await self._hooks.job_recovery(question, timeout=IN_A_HURRY)
        except asyncio.CancelledError:
            return run
        match answer.action:
            case RecoveryAction.DEFAULT:
                return run
            case RecoveryAction.SKIP:
                del self._running[id(claimed)]
                return replace(run, outcome=None)
            case RecoveryAction.FAIL_WITH_BACKOFF:
                return replace(run, outcome=Unfinished(Verdict.SPENT, reason.value))
            case RecoveryAction.RESCHEDULE:
                return _rescheduled(run, answer)

    def _tell_end(
        self, running: _Running, outcome: Outcome, *, lost: bool, is_final: bool
    ) -> Awaitable[None] | None:
        hooks, job, worker_id = self._hooks, running.job, running.worker_id
        duration = timedelta(0, running.duration)
        if lost:
            event = JobLost(job=job, worker_id=worker_id, duration=duration)
            return _tell(hooks.job_lost, event)
        if isinstance(outcome, Unfinished):
            return self._tell_unfinished(running, outcome, duration, is_final=is_final)
        if hooks.job_complete is None:
            return None
        return hooks.job_complete(job_complete(job, worker_id, duration))

    def _tell_unfinished(
        self, running: _Running, outcome: Unfinished, duration: timedelta, *, is_final: bool
    ) -> Awaitable[None] | None:
        hooks, job, worker_id = self._hooks, running.job, running.worker_id
        error = outcome.error or ""
        if running.cut_off is not None:
            cut_off = JobInterrupted(job=job, worker_id=worker_id, reason=running.cut_off)
            return _tell(hooks.job_interrupted, cut_off)
        if outcome.verdict is Verdict.REFUNDED:
            delay = timedelta(seconds=outcome.delay or 0.0)
            snoozed = JobSnoozed(job=job, worker_id=worker_id, delay=delay, duration=duration)
            return _tell(hooks.job_snoozed, snoozed)
        if is_final:
            final = JobPermanentlyFail(job=job, worker_id=worker_id, error=error, duration=duration)
            return _tell(hooks.job_permanently_fail, final)
        failed = JobFail(job=job, worker_id=worker_id, error=error, duration=duration)
        return _tell(hooks.job_fail, failed)

    def _begin(self, claimed: ClaimedJob) -> _Running:
        # A worker that was swept goes on under another id, and this job stays the old one's.
        worker_id = self._identity.id
        return _Running(claimed.job(self._name_of(claimed), worker_id), worker_id)


def _tell(observers: Observers[O] | None, event: O) -> Awaitable[None] | None:
    return None if observers is None else observers(event)


def _rescheduled(run: Run, answer: JobRecoveryResult) -> Run:
    """At the time that a hook named, measured on this machine's clock."""
    assert isinstance(run.outcome, Unfinished)  # noqa: S101 (it was cut off)
    assert answer.run_at is not None  # noqa: S101 (always given)
    delay = max(0.0, (answer.run_at - datetime.now(UTC)).total_seconds())
    return replace(run, outcome=replace(run.outcome, delay=delay, attempts=answer.attempts))
