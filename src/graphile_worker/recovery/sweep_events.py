"""The events of a sweep: who is asked about each job, and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from graphile_worker.hooks.answers import JobRecoveryResult, RecoveryAction
from graphile_worker.hooks.dispatch import Hooks, frozen
from graphile_worker.hooks.events import JobInterrupted, JobRecovery, WorkerRecovered
from graphile_worker.hooks.handlers import USUAL_TIMEOUT, Interceptors, Observers
from graphile_worker.hooks.reasons import FailureReason
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.jobs.job import Job
from graphile_worker.queries.workers import ToldJob
from graphile_worker.recovery.sweep import Swept

_REASON: Final = FailureReason.WORKER_CRASHED
_AT_ONCE: Final = 10
"""Jobs that handlers are asked about at the same time."""


@dataclass(frozen=True, slots=True)
class SweepEvents:
    """The handlers that a sweep has; None where nobody listens.

    Attributes:
        recovery: asked what becomes of each job, before anything is changed.
        interrupted: told of each job that was freed, after the commit.
        recovered: told of a sweep that found somebody, after that.
    """

    recovery: Interceptors[JobRecovery, JobRecoveryResult] | None = None
    interrupted: Observers[JobInterrupted] | None = None
    recovered: Observers[WorkerRecovered] | None = None

    @classmethod
    def of(cls, hooks: Hooks) -> Self:
        """Those of a worker."""
        return cls(hooks.job_recovery, hooks.job_interrupted, hooks.worker_recovered)

    @classmethod
    def registered(cls, registry: HookRegistry | None) -> Self:
        """Those of a client's registry, as they are now."""
        if registry is None:
            return cls()
        return cls.of(frozen(registry, USUAL_TIMEOUT.total_seconds()))

    @property
    def any(self) -> bool:
        """Whether anybody is to be asked or told."""
        return self.with_jobs or self.recovered is not None

    @property
    def with_jobs(self) -> bool:
        """Whether the jobs have to be known one by one."""
        return self.recovery is not None or self.interrupted is not None

    def asks_about(self, jobs: Sequence[Job]) -> bool:
        """Whether somebody has a say in what becomes of these, and so takes his time."""
        return self.recovery is not None and bool(jobs)

    def as_usual(self, jobs: Iterable[Job]) -> list[ToldJob] | None:
        """What becomes of each job where nobody is asked; None: of all, whichever they are."""
        if not self.with_jobs:
            return None
        return _told((job, JobRecoveryResult.DEFAULT) for job in jobs)

    async def decide(self, sweeper_id: str, jobs: Sequence[Job]) -> list[ToldJob]:
        """What becomes of each job; asks about some of them at once, since handlers may be slow."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def answer(job: Job) -> JobRecoveryResult:
            async with places:
                return await self._ask(sweeper_id, job)

        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(answer(job)) for job in jobs]
        return _told(zip(jobs, (one.result() for one in answers), strict=True))

    async def tell(self, sweeper_id: str, swept: Swept) -> None:
        """Tell of a sweep that is committed."""
        if not swept.found.dead:
            return
        await self._tell_of_jobs(sweeper_id, swept.freed)
        if self.recovered is not None:
            event = WorkerRecovered(
                worker_id=sweeper_id,
                dead_worker_ids=swept.found.dead,
                jobs_recovered=len(swept.recovered),
            )
            if (slow := self.recovered(event)) is not None:
                await slow

    async def _ask(self, sweeper_id: str, job: Job) -> JobRecoveryResult:
        if self.recovery is None:
            return JobRecoveryResult.DEFAULT
        owner = job.locked_by or ""
        return await self.recovery(
            JobRecovery(job=job, worker_id=sweeper_id, previous_worker_id=owner, reason=_REASON)
        )

    async def _tell_of_jobs(self, sweeper_id: str, jobs: Sequence[Job]) -> None:
        if self.interrupted is None:
            return
        for job in jobs:
            slow = self.interrupted(JobInterrupted(job=job, worker_id=sweeper_id, reason=_REASON))
            if slow is not None:
                await slow


def _told(answers: Iterable[tuple[Job, JobRecoveryResult]]) -> list[ToldJob]:
    return [
        ToldJob(job, answer.action.value, answer.run_at, answer.attempts)
        for job, answer in answers
        if answer.action is not RecoveryAction.SKIP
    ]
