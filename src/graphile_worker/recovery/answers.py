"""What may become of a job that was cut off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import ClassVar, TypeAlias

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.job import Job


class FailureReason(Enum):
    """Why a job was cut off; the value is what `last_error` says of a job that fails by it."""

    SHUTDOWN_ABORTED = "ShutdownAborted"
    WORKER_CRASHED = "WorkerCrashed"


class RecoveryAction(Enum):
    """What is done with the row."""

    DEFAULT = 0
    FAIL_WITH_BACKOFF = 1
    RESCHEDULE = 2
    SKIP = 3


@dataclass(frozen=True, slots=True)
class JobRecoveryResult:
    """What a `JobRecovery` hook answers; made by its constants and `reschedule`."""

    DEFAULT: ClassVar[JobRecoveryResult]
    """Free it, give the attempt back, run it after `recovery_delay`."""
    SKIP: ClassVar[JobRecoveryResult]
    """Leave it locked; the next sweep asks again."""
    FAIL_WITH_BACKOFF: ClassVar[JobRecoveryResult]
    """Free it as if it had failed: the attempt counts, and it waits as after any failure."""

    action: RecoveryAction = RecoveryAction.DEFAULT
    run_at: datetime | None = None
    attempts: int | None = None

    @staticmethod
    def reschedule(run_at: datetime, attempts: int | None = None) -> JobRecoveryResult:
        """Free it, and run it at this time.

        Args:
            run_at: aware; may lie in the past.
            attempts: how many count as made; None gives the last one back.

        Raises:
            ConfigurationError: a naive time, or negative attempts.
        """
        if run_at.tzinfo is None:
            raise ConfigurationError(f"run_at must have a time zone, got {run_at!r}")
        if attempts is not None and attempts < 0:
            raise ConfigurationError(f"attempts must be at least 0, got {attempts}")
        return JobRecoveryResult(RecoveryAction.RESCHEDULE, run_at, attempts)


JobRecoveryResult.DEFAULT = JobRecoveryResult()
JobRecoveryResult.SKIP = JobRecoveryResult(RecoveryAction.SKIP)
JobRecoveryResult.FAIL_WITH_BACKOFF = JobRecoveryResult(RecoveryAction.FAIL_WITH_BACKOFF)

Answer: TypeAlias = JobRecoveryResult | None
Decide: TypeAlias = Callable[[Job, str, FailureReason], Answer | Awaitable[Answer]]
"""Asked for each job, with the id of its worker and the reason; None means DEFAULT."""
