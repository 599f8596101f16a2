"""What became of jobs, and who hears of it."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Outcome

Pair: TypeAlias = tuple[ClaimedJob, Outcome]


class OnReleased(Protocol):
    """Called for each job after its outcome is in the database, or is known never to be."""

    def __call__(self, job: ClaimedJob, outcome: Outcome, *, lost: bool) -> None:
        """`lost`: the job was no longer ours; what the database says of it is somebody else's."""
