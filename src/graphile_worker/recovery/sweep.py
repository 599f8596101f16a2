"""One sweep: the jobs of dead workers go back to the table."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.hooks.answers import JobRecoveryResult, RecoveryAction
from graphile_worker.hooks.reasons import FailureReason
from graphile_worker.jobs.job import Job
from graphile_worker.queries.workers import (
    RecoveredJob,
    ToldJob,
    find_dead_workers,
    forget_workers,
    lock_sweep,
    locked_jobs_of,
    recover_jobs,
    unlock_queues_of,
)
from graphile_worker.recovery.answers import Decide
from graphile_worker.recovery.identity import PREFIX
from graphile_worker.recovery.options import WorkerRecoveryConfig
from graphile_worker.runtime.duration import Duration, duration

logger = logging.getLogger(__name__)

BY_HAND: Final = "worker_utils"
"""Who sweeps where no worker does."""

_LOCK_TIMEOUT: Final = "set local lock_timeout = '2s'"
"""Rows of jobs that others have locked are passed over anyway; this is for those of workers."""


OnRecovered: TypeAlias = Callable[[Job], Awaitable[None] | None]


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
        decide: asked what becomes of each job; None treats all alike.
        on_recovered: hears, after the commit, of each job that `decide` was asked about and that
            was freed.
    """

    schema: Schema
    config: WorkerRecoveryConfig
    sweeper_id: str = BY_HAND
    look_for_unregistered: bool = True
    decide: Decide | None = None
    on_recovered: OnRecovered | None = None

    async def run(self, database: Database, *, dry_run: bool = False) -> SweepResult:
        """Sweep, unless somebody else is at it: then nothing is found.

        Raises:
            DatabaseError: nothing was done.
        """
        if dry_run:
            dead = await database.run(self.find())
            return SweepResult(worker_ids=dead, recovered_count=0, dry_run=True)
        async with database.connection() as connection, connection.transaction():
            await connection.script(_LOCK_TIMEOUT)
            if not await connection.run(lock_sweep(self.schema)):
                return SweepResult(worker_ids=[], recovered_count=0)
            dead = await connection.run(self.find())
            if not dead:
                return SweepResult(worker_ids=[], recovered_count=0)
            asked, recovered = await self._recover(connection, dead)
            await connection.run(unlock_queues_of(self.schema, dead))
            await connection.run(forget_workers(self.schema, dead))
        await self._report(dead, asked, recovered)
        return SweepResult(worker_ids=dead, recovered_count=len(recovered))

    async def _recover(
        self, connection: Connection, dead: list[str]
    ) -> tuple[list[Job], list[RecoveredJob]]:
        jobs: list[Job] = []
        told: list[ToldJob] | None = None
        if self.decide is not None:
            jobs = await connection.run(locked_jobs_of(self.schema, dead))
            told = await self._ask(self.decide, jobs)
        return jobs, await connection.run(self.recover(dead, told))

    def recover(
        self, dead: list[str], told: list[ToldJob] | None = None
    ) -> Statement[list[RecoveredJob]]:
        """Free the jobs of the dead; `told` says what becomes of each, None treats all alike."""
        return recover_jobs(
            self.schema,
            dead,
            delay=_seconds("recovery_delay", self.config.recovery_delay),
            max_refunds=self.config.max_refunds,
            failed=FailureReason.WORKER_CRASHED.value,
            told=told,
        )

    async def _ask(self, decide: Decide, jobs: list[Job]) -> list[ToldJob]:
        told: list[ToldJob] = []
        for job in jobs:
            answer = await _answer(decide, job)
            if answer.action is not RecoveryAction.SKIP:
                told.append(ToldJob(job, answer.action.value, answer.run_at, answer.attempts))
        return told

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

    async def _report(
        self, dead: list[str], asked: list[Job], recovered: list[RecoveredJob]
    ) -> None:
        report(dead, recovered)
        if self.on_recovered is not None:
            freed = {job.id for job in recovered}
            for told in asked:
                if told.id in freed:
                    slow = self.on_recovered(told)
                    if slow is not None:
                        await slow


def report(dead: list[str], recovered: list[RecoveredJob]) -> None:
    """Log what a sweep did, after its commit."""
    logger.warning(
        "recovered %d jobs of workers that fell silent: %s", len(recovered), ", ".join(dead)
    )
    for job in recovered:
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


async def _answer(decide: Decide, job: Job) -> JobRecoveryResult:
    """What the hook says; one that raises has no say."""
    try:
        answer = decide(job, job.locked_by or "", FailureReason.WORKER_CRASHED)
        if inspect.isawaitable(answer):
            answer = await answer
    except Exception:
        logger.exception("job %s: the JobRecovery hook failed; recovering it as usual", job.id)
        return JobRecoveryResult.DEFAULT
    return answer or JobRecoveryResult.DEFAULT


def _seconds(name: str, value: Duration) -> float:
    return duration(name, value).total_seconds()
