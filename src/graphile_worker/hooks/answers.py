"""What handlers of interceptor events answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar

from graphile_worker.errors import ConfigurationError


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


class Recovery(Enum):
    """What becomes of a job whose run was cut off."""

    DEFAULT = "default"
    SKIP = "skip"
    FAIL_WITH_BACKOFF = "fail_with_backoff"
    RESCHEDULE = "reschedule"


@dataclass(frozen=True, slots=True)
class JobRecoveryResult:
    """The answer to `JobRecovery`: one of the three constants, or `reschedule(…)`."""

    DEFAULT: ClassVar[JobRecoveryResult]
    """Run it again after the delay of the options, the attempt given back."""
    SKIP: ClassVar[JobRecoveryResult]
    """Leave its row locked, for whoever knows better."""
    FAIL_WITH_BACKOFF: ClassVar[JobRecoveryResult]
    """A failure as any other: the attempt is spent, the job is retried with backoff."""

    kind: Recovery
    run_at: datetime | None = None
    attempts: int | None = None

    @classmethod
    def reschedule(cls, run_at: datetime, attempts: int | None = None) -> JobRecoveryResult:
        """Run it again at a time of your choice.

        Args:
            run_at: an aware datetime; one in the past means at once.
            attempts: how often it counts as tried; None gives the attempt back.

        Raises:
            ConfigurationError: `run_at` has no time zone, or `attempts` is negative.
        """
        if run_at.tzinfo is None:
            raise ConfigurationError(f"run_at must have a time zone, got {run_at!r}")
        if attempts is not None and attempts < 0:
            raise ConfigurationError(f"attempts must be at least 0, got {attempts}")
        return cls(Recovery.RESCHEDULE, run_at, attempts)


JobRecoveryResult.DEFAULT = JobRecoveryResult(Recovery.DEFAULT)
JobRecoveryResult.SKIP = JobRecoveryResult(Recovery.SKIP)
JobRecoveryResult.FAIL_WITH_BACKOFF = JobRecoveryResult(Recovery.FAIL_WITH_BACKOFF)
