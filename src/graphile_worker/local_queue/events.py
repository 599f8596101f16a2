"""What a local queue tells of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from graphile_worker.hooks.reasons import LocalQueueMode


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalQueueEvents:
    """Who wants to know; None: nobody. They are called on the worker's loop and must not raise."""

    on_init: Callable[[], None] | None = None
    """Once for each of the `queue_count` parts, when the run begins."""
    on_set_mode: Callable[[LocalQueueMode, LocalQueueMode], None] | None = None
    """With the old and the new mode, at every change."""
    on_get_jobs_complete: Callable[[int], None] | None = None
    """With the number of jobs, when a claim was answered, before any of them starts."""
    on_return_jobs: Callable[[int], None] | None = None
    """With the number of jobs, once they are back in the table."""
    on_refetch_delay_start: Callable[[timedelta, int, int], None] | None = None
    """With the duration, the threshold and the abort threshold."""
    on_refetch_delay_abort: Callable[[int, int], None] | None = None
    """With the number of jobs announced, and the abort threshold."""
    on_refetch_delay_expired: Callable[[], None] | None = None
    """When the delay is over."""


SILENT: Final = LocalQueueEvents()
