"""Who is asked what becomes of a job that was cut off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from graphile_worker.hooks.answers import JobRecoveryResult
from graphile_worker.hooks.reasons import FailureReason
from graphile_worker.jobs.job import Job

Answer: TypeAlias = JobRecoveryResult | None
Decide: TypeAlias = Callable[[Job, str, FailureReason], Answer | Awaitable[Answer]]
"""Asked for each job, with the id of its worker and the reason; None means DEFAULT."""
