"""How a run of a job ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias


class Verdict(Enum):
    """What becomes of the attempt that was counted when the job was claimed."""

    SPENT = 0
    """It counts: the job is retried while there are attempts left."""
    EXHAUSTED = 1
    """There shall be no other: the job has failed for good."""
    REFUNDED = -1
    """It does not count, unless the job was superseded while it ran."""
    UNTOUCHED = -2
    """The same, and the job keeps its `run_at` too: it never ran, so it keeps its place."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The job is done; its row is deleted."""


COMPLETED: Final = Completed()


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The job stays: failed, failed for good, snoozed, or interrupted."""

    verdict: Verdict
    error: str | None
    """The new `last_error`; None keeps the old one."""
    delay: float | None = None
    """Seconds until it may run again; None for Graphile's backoff by attempts."""
    payload: str | None = None
    """JSON text of what is left of a batch; None keeps the payload."""
    attempts: int | None = None
    """How often the job counts as tried, whatever the verdict; None follows the verdict."""


RETURNED: Final = Unfinished(Verdict.UNTOUCHED, None)
"""The job was claimed, and never ran; its row is as if it had not been claimed."""

HANDED_BACK: Final = Unfinished(Verdict.REFUNDED, None, 0.0)
"""The run counts for nothing, and the job may run again at once."""


def interrupted(delay: float) -> Unfinished:
    """The outcome of a job that the worker's shutdown cut off.

    Args:
        delay: seconds until it may run again.
    """
    return Unfinished(Verdict.REFUNDED, "Job recovered after worker interruption", delay)


Outcome: TypeAlias = Completed | Unfinished
