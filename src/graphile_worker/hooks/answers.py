"""What handlers of interceptor events answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.spec import SMALLINT


class Answer(Enum):
    """What kind of answer it is."""

    CONTINUE = "continue"
    SKIP = "skip"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class HookResult:
    """The answer to `BeforeJobRun` and `AfterJobRun`: `CONTINUE`, `skip()` or `fail(reason)`."""

    CONTINUE: ClassVar[HookResult]
    """No opinion, as None: the next handler is asked."""

    kind: Answer
    reason: str | None = None

    @classmethod
    def skip(cls) -> HookResult:
        """The job counts as done: its row is deleted.

        Before the run, the handler is not called; after it, whatever it raised is forgotten.
        """
        return _SKIP

    @classmethod
    def fail(cls, reason: str) -> HookResult:
        """The job has failed, and is retried as after any failure.

        Args:
            reason: stored as `last_error`, as it is.
        """
        return cls(Answer.FAIL, reason)


HookResult.CONTINUE = HookResult(Answer.CONTINUE)
_SKIP = HookResult(Answer.SKIP)


@dataclass(frozen=True, slots=True)
class JobScheduleResult:
    """The answer to `BeforeJobSchedule`: `proceed(payload)`, `skip()` or `fail(reason)`."""

    kind: Answer
    payload: Any = None
    reason: str | None = None

    @classmethod
    def proceed(cls, payload: Any) -> JobScheduleResult:
        """The job is added with this payload, which the next handler sees.

        Args:
            payload: any JSON value. It is not held against the task's payload type.
        """
        return cls(Answer.CONTINUE, payload)

    @classmethod
    def skip(cls) -> JobScheduleResult:
        """The job is not added: the call raises `JobScheduleSkipped`; a bulk add leaves it out."""
        return cls(Answer.SKIP)

    @classmethod
    def fail(cls, reason: str) -> JobScheduleResult:
        """Nothing is added: the call raises `JobScheduleFailed` with this reason."""
        return cls(Answer.FAIL, reason=reason)


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
            ConfigurationError: a naive time, or attempts that do not fit into the table.
        """
        if run_at.tzinfo is None:
            raise ConfigurationError(f"run_at must have a time zone, got {run_at!r}")
        if attempts is not None and not 0 <= attempts < SMALLINT.stop:
            raise ConfigurationError(
                f"attempts must be between 0 and {SMALLINT.stop - 1}, got {attempts}"
            )
        return JobRecoveryResult(RecoveryAction.RESCHEDULE, run_at, attempts)


JobRecoveryResult.DEFAULT = JobRecoveryResult()
JobRecoveryResult.SKIP = JobRecoveryResult(RecoveryAction.SKIP)
JobRecoveryResult.FAIL_WITH_BACKOFF = JobRecoveryResult(RecoveryAction.FAIL_WITH_BACKOFF)
