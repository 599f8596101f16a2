"""The jobs that one open transaction has locked."""

from __future__ import annotations

import asyncio
from enum import Enum

from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import COMPLETED, RETURNED, Outcome
from graphile_worker.worker.released import Pair


class State(Enum):
    """What the end of a job means."""

    OPEN = 0
    """It is settled with the others, when all have ended or the transaction is old."""
    SETTLING = 1
    """The transaction is being committed, so it comes too late for that."""
    COMMITTED = 2
    """The job is locked in the usual way, and released in the usual way."""
    LOST = 3
    """The transaction did not commit: the job is anybody's."""


class RowLockBatch:
    """Which jobs run, and how the others ended; no I/O."""

    def __init__(self, jobs: list[ClaimedJob]) -> None:
        self.size = len(jobs)
        """How many there were."""
        self._jobs = jobs
        self._left = len(jobs)
        self.done: list[ClaimedJob] = []
        self.untouched: list[ClaimedJob] = []
        self.unfinished: list[Pair] = []
        self.late: list[Pair] = []
        """Ended while the transaction was being committed."""
        self.state = State.OPEN
        self.is_open = True
        """Whether that is its state; asked for each job."""
        self._ended = asyncio.Event()

    @property
    def running(self) -> list[ClaimedJob]:
        """The jobs that have not ended."""
        ended = {id(job) for job in (*self.done, *(job for job, _ in self.others()))}
        return [job for job in self._jobs if id(job) not in ended]

    def end(self, job: ClaimedJob, outcome: Outcome) -> None:
        """A job has ended, once."""
        if not self.is_open:
            self.late.append((job, outcome))
        elif outcome is COMPLETED:
            self.done.append(job)
        elif outcome is RETURNED:
            self.untouched.append(job)
        else:
            self.unfinished.append((job, outcome))
        self._left -= 1
        if not self._left:
            self._ended.set()

    async def wait_ended(self, limit: float) -> None:
        """Wait until all jobs have ended, but no longer than `limit` seconds."""
        if not self._left:
            return
        try:
            async with asyncio.timeout(limit):
                await self._ended.wait()
        except TimeoutError:
            return

    def others(self) -> list[Pair]:
        """How each ended that has, but for those that are done."""
        untouched: list[Pair] = [(job, RETURNED) for job in self.untouched]
        return [*untouched, *self.unfinished, *self.late]

    def enter(self, state: State) -> None:
        """The transaction is a step further."""
        self.state, self.is_open = state, False
