"""Where a job stands, as finely as the table of jobs can tell."""

from __future__ import annotations

from enum import Enum
from typing import Final


class FineState(Enum):
    """One of eight states; every job is in one. `admin_rows.sql` works it out.

    `JobState` is coarser: `LOCKED` is running or stuck, `SCHEDULED` also retrying, `READY` also
    blocked or unclaimed.
    """

    READY = "ready"
    """Due, and a worker may take it."""
    BLOCKED = "blocked"
    """Due, but its queue is locked: by a running job, or because it is paused."""
    UNCLAIMED = "unclaimed"
    """Due for more than a minute, and no live worker knows its task."""
    RUNNING = "running"
    """A worker holds it that lives, or of which nothing is known."""
    STUCK = "stuck"
    """A worker holds it that is gone, or has held it for four hours."""
    RETRYING = "retrying"
    """It failed and is not due again yet."""
    SCHEDULED = "scheduled"
    """Not due yet, and never tried."""
    FAILED = "failed"
    """It has used all of its attempts."""


SELECTABLE: Final = (
    "all",
    *(state.value for state in FineState),
    "locked",
    "waiting",
    "later",
)
"""What a search may ask for: a state, or several: `locked` is running and stuck, `waiting` ready,
blocked and unclaimed, `later` scheduled and retrying."""
