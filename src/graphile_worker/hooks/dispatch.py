"""A registry as a worker sees it: frozen when the worker is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from graphile_worker.hooks import events as on
from graphile_worker.hooks.answers import HookResult, JobRecoveryResult
from graphile_worker.hooks.handlers import Interceptors, Observers
from graphile_worker.hooks.registry import HookRegistry

O = TypeVar("O", bound=on.ObserverEvent)  # noqa: E741 (an observer event)
R = TypeVar("R", on.BeforeJobRun, on.AfterJobRun)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """For each event its handlers, or None: nobody listens, and no event is to be made."""

    worker_init: Observers[on.WorkerInit] | None
    worker_start: Observers[on.WorkerStart] | None
    worker_shutdown: Observers[on.WorkerShutdown] | None
    worker_recovered: Observers[on.WorkerRecovered] | None
    job_fetch: Observers[on.JobFetch] | None
    before_job_run: Interceptors[on.BeforeJobRun, HookResult] | None
    job_start: Observers[on.JobStart] | None
    after_job_run: Interceptors[on.AfterJobRun, HookResult] | None
    job_complete: Observers[on.JobComplete] | None
    job_fail: Observers[on.JobFail] | None
    job_permanently_fail: Observers[on.JobPermanentlyFail] | None
    job_interrupted: Observers[on.JobInterrupted] | None
    job_snoozed: Observers[on.JobSnoozed] | None
    job_lost: Observers[on.JobLost] | None
    job_recovery: Interceptors[on.JobRecovery, JobRecoveryResult] | None
    cron_tick: Observers[on.CronTick] | None
    cron_job_scheduled: Observers[on.CronJobScheduled] | None
    local_queue_init: Observers[on.LocalQueueInit] | None
    local_queue_set_mode: Observers[on.LocalQueueSetMode] | None
    local_queue_get_jobs_complete: Observers[on.LocalQueueGetJobsComplete] | None
    local_queue_return_jobs: Observers[on.LocalQueueReturnJobs] | None
    local_queue_refetch_delay_start: Observers[on.LocalQueueRefetchDelayStart] | None
    local_queue_refetch_delay_abort: Observers[on.LocalQueueRefetchDelayAbort] | None
    local_queue_refetch_delay_expired: Observers[on.LocalQueueRefetchDelayExpired] | None

    @property
    def watch_jobs(self) -> bool:
        """Whether anybody wants to know of the jobs that run here."""
        return any(
            handlers is not None
            for handlers in (
                self.job_fetch,
                self.before_job_run,
                self.job_start,
                self.after_job_run,
                self.job_complete,
                self.job_fail,
                self.job_permanently_fail,
                self.job_interrupted,
                self.job_snoozed,
                self.job_lost,
                self.job_recovery,
            )
        )


def frozen(registry: HookRegistry, timeout: float) -> Hooks:
    """The handlers as they are now; what is registered later is not seen.

    Args:
        registry: may be empty.
        timeout: seconds that a handler has.
    """

    def tell(event: type[O]) -> Observers[O] | None:
        handlers = registry.handlers(event)
        return Observers[O](handlers, timeout) if handlers else None

    def ask(event: type[R]) -> Interceptors[R, HookResult] | None:
        handlers = registry.handlers(event)
        if not handlers:
            return None
        return Interceptors(
            handlers, timeout, no_opinion=HookResult.CONTINUE, when_raised=HookResult.fail
        )

    return Hooks(
        worker_init=tell(on.WorkerInit),
        worker_start=tell(on.WorkerStart),
        worker_shutdown=tell(on.WorkerShutdown),
        worker_recovered=tell(on.WorkerRecovered),
        job_fetch=tell(on.JobFetch),
        before_job_run=ask(on.BeforeJobRun),
        job_start=tell(on.JobStart),
        after_job_run=ask(on.AfterJobRun),
        job_complete=tell(on.JobComplete),
        job_fail=tell(on.JobFail),
        job_permanently_fail=tell(on.JobPermanentlyFail),
        job_interrupted=tell(on.JobInterrupted),
        job_snoozed=tell(on.JobSnoozed),
        job_lost=tell(on.JobLost),
        job_recovery=_recovery(registry, timeout),
        cron_tick=tell(on.CronTick),
        cron_job_scheduled=tell(on.CronJobScheduled),
        local_queue_init=tell(on.LocalQueueInit),
        local_queue_set_mode=tell(on.LocalQueueSetMode),
        local_queue_get_jobs_complete=tell(on.LocalQueueGetJobsComplete),
        local_queue_return_jobs=tell(on.LocalQueueReturnJobs),
        local_queue_refetch_delay_start=tell(on.LocalQueueRefetchDelayStart),
        local_queue_refetch_delay_abort=tell(on.LocalQueueRefetchDelayAbort),
        local_queue_refetch_delay_expired=tell(on.LocalQueueRefetchDelayExpired),
    )


def _recovery(
    registry: HookRegistry, timeout: float
) -> Interceptors[on.JobRecovery, JobRecoveryResult] | None:
    handlers = registry.handlers(on.JobRecovery)
    if not handlers:
        return None
    return Interceptors(
        handlers,
        timeout,
        no_opinion=JobRecoveryResult.DEFAULT,
        when_raised=lambda _: JobRecoveryResult.DEFAULT,
    )
