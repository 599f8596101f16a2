"""What a sweep does: the jobs of dead workers go back to the table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphile_worker.database.operation import Operation, ask
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.hooks.reasons import FailureReason
from graphile_worker.jobs.job import Job
from graphile_worker.queries.cleanup import limit_lock_waits
from graphile_worker.queries.workers import (
    RecoveredJob,
    ToldJob,
    find_dead_workers,
    forget_workers,
    limit_idle_time,
    lock_sweep,
    locked_jobs_of,
    recover_jobs,
    unlock_queues_of,
)
from graphile_worker.recovery.identity import PREFIX
from graphile_worker.recovery.options import WorkerRecoveryConfig
from graphile_worker.runtime.duration import Duration, duration

logger = logging.getLogger(__name__)

BY_HAND: Final = "worker_utils"
"""Who sweeps where no worker does."""

_IDLE_MILLISECONDS: Final = 5_000
"""A sweeper that is stopped in the middle must not keep all others from sweeping."""
_LOCK_WAIT_MILLISECONDS: Final = 2_000
"""Rows of jobs that others have locked are passed over anyway; this is for those of workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """What a sweep found and did."""

    worker_ids: list[str]
    """The workers that were found dead."""
    recovered_count: int
    """How many jobs went back to the table; 0 for a dry run."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """How to sweep.

    Attributes:
        schema: where the tables are.
        config: thresholds and delays.
        sweeper_id: who sweeps; never found dead itself.
        look_for_unregistered: whether to read the whole table for owners that are not registered.
    """

    schema: Schema
    config: WorkerRecoveryConfig
    sweeper_id: str = BY_HAND
    look_for_unregistered: bool = True

    def find(self) -> Statement[list[str]]:
        """The ids of the dead."""
        config = self.config
        threshold = config.threshold_seconds
        return find_dead_workers(
            self.schema,
            sweeper_id=self.sweeper_id,
            threshold=threshold,
            resilient_threshold=threshold * config.resilient_sweep_threshold_multiplier,
            resilient_flags=list(config.resilient_job_flags),
            orphans=config.recover_orphans,
            own_prefix=PREFIX,
            look_for_unregistered=self.look_for_unregistered or config.recover_orphans,
        )

    def recover(
        self, dead: list[str], told: Sequence[ToldJob] | None = None
    ) -> Statement[list[RecoveredJob]]:
        """Free the jobs of the dead; `told` says what becomes of each, None treats all alike."""
        return recover_jobs(
            self.schema,
            dead,
            threshold=self.config.threshold_seconds,
            delay=duration("recovery_delay", self.config.recovery_delay).total_seconds(),
            max_refunds=self.config.max_refunds,
            failed=FailureReason.WORKER_CRASHED.value,
            told=told,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Whom a sweep found dead, and the jobs they hold, if it was asked for them."""

    dead: list[str]
    jobs: list[Job]


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: the jobs as they were found, and those that it freed."""

    found: Found
    recovered: list[RecoveredJob]

    @property
    def result(self) -> SweepResult:
        """For whoever asked for the sweep."""
        return SweepResult(worker_ids=self.found.dead, recovered_count=len(self.recovered))

    @property
    def freed(self) -> list[Job]:
        """The jobs that were freed, as they were found."""
        ids = {job.id for job in self.recovered}
        return [job for job in self.found.jobs if job.id in ids]


def sweep_by_hand(
    schema: Schema,
    *,
    sweep_threshold: Duration | None = None,
    recovery_delay: Duration | None = None,
) -> Sweep:
    """The sweep of an operator: also of owners that never registered.

    Raises:
        ConfigurationError: a duration that is none.
    """
    given = {"sweep_threshold": sweep_threshold, "recovery_delay": recovery_delay}
    config = WorkerRecoveryConfig(
        recover_orphans=True,
        **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type] # checked there
    )
    return Sweep(schema=schema, config=config)


def look(sweep: Sweep) -> Operation[SweepResult]:
    """Whom a sweep would find; changes nothing."""
    dead = yield from ask(sweep.find())
    return SweepResult(worker_ids=dead, recovered_count=0, dry_run=True)


def begin(sweep: Sweep, *, with_jobs: bool) -> Operation[Found]:
    """Find the dead, in a transaction that `finish` may end.

    Nobody is found while another sweep is under way.
    """
    yield from ask(limit_lock_waits(sweep.schema, _LOCK_WAIT_MILLISECONDS))
    yield from ask(limit_idle_time(sweep.schema, _IDLE_MILLISECONDS))
    if not (yield from ask(lock_sweep(sweep.schema))):
        return Found([], [])
    dead = yield from ask(sweep.find())
    if not dead or not with_jobs:
        return Found(dead, [])
    threshold = sweep.config.threshold_seconds
    return Found(dead, (yield from ask(locked_jobs_of(sweep.schema, dead, threshold=threshold))))


def finish(sweep: Sweep, found: Found, told: Sequence[ToldJob] | None) -> Operation[Swept]:
    """Free the jobs of the dead, as told, and forget them."""
    if not found.dead:
        return Swept(found, [])
    recovered = yield from ask(sweep.recover(found.dead, told))
    threshold = sweep.config.threshold_seconds
    yield from ask(unlock_queues_of(sweep.schema, found.dead, threshold=threshold))
    yield from ask(forget_workers(sweep.schema, found.dead))
    return Swept(found, recovered)


def finish_later(sweep: Sweep, found: Found, told: Sequence[ToldJob] | None) -> Operation[Swept]:
    """`finish` in another transaction than `begin`: of those who are dead still, by then."""
    now = yield from begin(sweep, with_jobs=False)
    still = [worker_id for worker_id in found.dead if worker_id in set(now.dead)]
    return (yield from finish(sweep, Found(still, found.jobs), told))


def report(swept: Swept) -> None:
    """Log what a sweep did, after its commit."""
    if not swept.found.dead:
        return
    dead = ", ".join(swept.found.dead)
    logger.warning("recovered %d jobs of workers that fell silent: %s", len(swept.recovered), dead)
    for job in swept.recovered:
        if job.is_spent:
            logger.error(
                "job %s (%s): %d workers in a row died while it ran; the attempt counts "
                "(attempt %d of %d)",
                job.id,
                job.task_identifier,
                job.times,
                job.attempts,
                job.max_attempts,
            )
