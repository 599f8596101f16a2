"""The events of the services beside the engine: cron and recovery."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime

from graphile_worker.cron.crontab import Crontab
from graphile_worker.cron.scheduler import OnScheduled, OnTick
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.hooks.answers import JobRecoveryResult
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.hooks.events import (
    CronJobScheduled,
    CronTick,
    JobInterrupted,
    JobRecovery,
    WorkerRecovered,
)
from graphile_worker.hooks.reasons import FailureReason
from graphile_worker.jobs.job import Job
from graphile_worker.recovery.answers import Decide
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.recovery.options import WorkerRecoveryConfig
from graphile_worker.recovery.sweep import OnRecovered, Sweep, SweepResult
from graphile_worker.recovery.sweeper import OnSwept, Sweeper


def tick_teller(hooks: Hooks) -> OnTick | None:
    """What a scheduler calls with every minute."""
    observers = hooks.cron_tick
    if observers is None:
        return None

    def tell(minute: datetime, crontabs: Sequence[Crontab]) -> Awaitable[None] | None:
        return observers(CronTick(timestamp=minute, crontabs=crontabs))

    return tell


def scheduled_teller(hooks: Hooks) -> OnScheduled | None:
    """What a scheduler calls with every job that it added."""
    observers = hooks.cron_job_scheduled
    if observers is None:
        return None

    def tell(crontab: Crontab, minute: datetime) -> Awaitable[None] | None:
        return observers(CronJobScheduled(crontab=crontab, scheduled_at=minute))

    return tell


def sweeper(
    hooks: Hooks,
    database: Database,
    identity: WorkerIdentity,
    schema: Schema,
    config: WorkerRecoveryConfig,
) -> Sweeper:
    """A sweeper that asks and tells the hooks."""
    sweep = Sweep(
        schema=schema,
        config=config,
        decide=_decider(hooks, identity),
        on_recovered=_recovered_teller(hooks, identity),
    )
    return Sweeper(database, identity, sweep, on_swept=_swept_teller(hooks, identity))


def _decider(hooks: Hooks, identity: WorkerIdentity) -> Decide | None:
    """Asked of each job; where nobody asks, jobs that are freed have still to be told."""
    interceptors = hooks.job_recovery
    if interceptors is None:
        return None if hooks.job_interrupted is None else _no_opinion

    def decide(job: Job, worker_id: str, reason: FailureReason) -> Awaitable[JobRecoveryResult]:
        return interceptors(
            JobRecovery(job=job, worker_id=identity.id, previous_worker_id=worker_id, reason=reason)
        )

    return decide


def _no_opinion(_job: Job, _worker_id: str, _reason: FailureReason) -> None:
    return None


def _recovered_teller(hooks: Hooks, identity: WorkerIdentity) -> OnRecovered | None:
    observers = hooks.job_interrupted
    if observers is None:
        return None

    def tell(job: Job) -> Awaitable[None] | None:
        reason = FailureReason.WORKER_CRASHED
        return observers(JobInterrupted(job=job, worker_id=identity.id, reason=reason))

    return tell


def _swept_teller(hooks: Hooks, identity: WorkerIdentity) -> OnSwept | None:
    observers = hooks.worker_recovered
    if observers is None:
        return None

    def tell(result: SweepResult) -> Awaitable[None] | None:
        return observers(
            WorkerRecovered(
                worker_id=identity.id,
                dead_worker_ids=result.worker_ids,
                jobs_recovered=result.recovered_count,
            )
        )

    return tell
