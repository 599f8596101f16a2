"""The group commit of what became of jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.errors import DatabaseError, JobLostError
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import RETURNED, Completed, Outcome, Unfinished, Verdict
from graphile_worker.queries.release_jobs import (
    release_completed,
    release_unfinished,
    release_unqueued,
)
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.runtime.retry import Backoff
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.batch_delays import NO_DELAYS, BatchDelays
from graphile_worker.worker.steady_connection import SteadyConnection

logger = logging.getLogger(__name__)

FULL_BATCH: Final = 1000
"""Jobs in one statement; so many wait for no others."""
_BLOCKED_FOR: Final = 0.05
"""Seconds until a row that another session had locked is tried again."""
_LOCKED: Final = "55P03"
"""Another session has a row locked, longer than the lock_timeout."""
_UNSTORABLE: Final = "the error of this job could not be stored: "

Pair = tuple[ClaimedJob, Outcome]


class OnReleased(Protocol):
    """Called for each job after its outcome is in the database, or is known never to be."""

    def __call__(self, job: ClaimedJob, outcome: Outcome, *, lost: bool) -> None:
        """`lost`: the job was no longer ours; what the database says of it is somebody else's."""


class Releaser:
    """Collects outcomes while a statement is under way, and sends them in the next one.

    No outcome is dropped: a lost connection is waited for, a row locked by somebody else is tried
    again, a text the database refuses is replaced. A job is ours until its outcome is stored.

    Args:
        hurries: the connection has a lock_timeout, so that a statement that waits for locked rows
            may be tried first, which is cheaper than one that passes them over.
        delays: how long outcomes wait for others, at most, while nothing hurries them.

    Collaborators: `on_released` hears of every job; `on_queue_freed` when a queue may have a next.
    """

    def __init__(
        self,
        connection: SteadyConnection,
        schema: Schema,
        identity: WorkerIdentity,
        *,
        hurries: bool,
        on_released: OnReleased,
        on_queue_freed: Callable[[], None],
        delays: BatchDelays = NO_DELAYS,
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._identity = identity
        self._hurries = hurries
        self._on_released = on_released
        self._on_queue_freed = on_queue_freed
        self._waiting: list[Pair] = []
        self._sending: list[Pair] = []
        self._blocked: dict[int, Pair] = {}
        self._delays = delays if delays.any else None
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        self._wakeup = Wakeup()
        self._empty = asyncio.Event()
        self._empty.set()
        self._loop = asyncio.get_running_loop()

    @property
    def backlog(self) -> int:
        """How many outcomes are not stored yet."""
        return len(self._waiting) + len(self._sending) + len(self._blocked)

    @property
    def unreleased(self) -> list[ClaimedJob]:
        """The jobs whose outcomes are not stored yet."""
        return [job for job, _ in (*self._waiting, *self._sending, *self._blocked.values())]

    def put(self, job: ClaimedJob, outcome: Outcome) -> None:
        """Store what became of a job, soon."""
        waiting = self._waiting
        waiting.append((job, outcome))
        if self._delays is not None:
            self._empty.clear()
            self._wait_for_others(self._delays.of(job, outcome))
        elif len(waiting) == 1:  # whoever takes the list takes all of it
            self._empty.clear()
            self.flush()

    def flush(self) -> None:
        """Let what waits now wait no longer for others."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._is_due = True
            self._wakeup()

    def hurry(self) -> None:
        """From now on nothing waits for others; idempotent."""
        self._delays = None
        self.flush()

    async def wait_empty(self) -> None:
        """Wait until all is stored."""
        await self._empty.wait()

    async def run(self) -> None:
        """Store outcomes until cancelled."""
        while True:
            await self._wakeup.wait()
            while self._take_due():
                await self._send(self._sending)
                self._sending = []
            self._settle()

    def _wait_for_others(self, delay: float) -> None:
        """What waits is sent after `delay` seconds, or before."""
        if delay == 0 or len(self._waiting) >= FULL_BATCH:
            self.flush()
        elif not self._is_due:
            at = self._loop.time() + delay
            if self._timer is None or at < self._timer.when():
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = self._loop.call_at(at, self.flush)

    def _take_due(self) -> bool:
        """Take what is to be sent now; False: nothing is."""
        if not self._waiting or not (self._is_due or self._delays is None):
            return False
        self._sending, self._waiting = self._waiting[:FULL_BATCH], self._waiting[FULL_BATCH:]
        self._is_due = bool(self._waiting)
        return True

    async def _send(self, batch: list[Pair]) -> None:
        completed = [(job, end) for job, end in batch if isinstance(end, Completed)]
        unfinished = [(job, end) for job, end in batch if isinstance(end, Unfinished)]
        if completed:
            stored, ambiguous = await self._delete([job for job, _ in completed])
            self._stored(completed, stored, ambiguous=ambiguous)
        if unfinished:
            await self._send_unfinished(unfinished)

    async def _delete(self, jobs: list[ClaimedJob]) -> tuple[dict[int, bool], bool]:
        if self._hurries and not any(job.queue_id for job in jobs):
            try:
                return await self._persist(
                    release_unqueued(self._schema, worker_id=self._identity.id, jobs=jobs),
                    waits_for_locks=False,
                )
            except DatabaseError as error:
                if error.sqlstate != _LOCKED:
                    raise
        return await self._persist(
            release_completed(self._schema, worker_id=self._identity.id, jobs=jobs)
        )

    async def _send_unfinished(self, jobs: Sequence[tuple[ClaimedJob, Unfinished]]) -> None:
        statement = release_unfinished(self._schema, worker_id=self._identity.id, jobs=jobs)
        try:
            stored, ambiguous = await self._persist(statement)
        except DatabaseError as error:
            # One of them holds what the database refuses. Each is sent alone, and the guilty one
            # with a text that is sure to be taken.
            if len(jobs) > 1:
                for job in jobs:
                    await self._send_unfinished([job])
                return
            await self._send_without_texts(*jobs[0], error)
            return
        self._stored(jobs, stored, ambiguous=ambiguous)

    async def _send_without_texts(
        self, job: ClaimedJob, end: Unfinished, error: DatabaseError
    ) -> None:
        logger.error("job %s: its outcome was refused: %s", job.id, error)
        safe = Unfinished(end.verdict, _UNSTORABLE + ascii(str(error)))
        statement = release_unfinished(
            self._schema, worker_id=self._identity.id, jobs=[(job, safe)]
        )
        stored, ambiguous = await self._persist(statement)
        self._stored([(job, safe)], stored, ambiguous=ambiguous)

    async def _persist(
        self, statement: Statement[dict[int, bool]], *, waits_for_locks: bool = True
    ) -> tuple[dict[int, bool], bool]:
        """Send it until it is answered.

        Returns:
            The answer, and whether an earlier try may have been carried out without answering.

        Raises:
            DatabaseError: the values were refused (SQLSTATE class 22 or 23), or another session
                has a row locked (55P03) that is not waited for.
        """
        ambiguous = False
        delays = Backoff().delays()
        while True:
            try:
                return await self._connection.run(statement), ambiguous
            except DatabaseError as error:
                if _is_refusal(error) or (error.sqlstate == _LOCKED and not waits_for_locks):
                    raise
                ambiguous = True
                delay = next(delays)
                logger.warning(
                    "cannot store the outcome of %d jobs, trying again in %.1f s: %s",
                    self.backlog,
                    delay,
                    error,
                )
                await asyncio.sleep(delay)

    def _stored(self, pairs: Sequence[Pair], stored: dict[int, bool], *, ambiguous: bool) -> None:
        queue_freed = False
        for pair in pairs:
            job, outcome = pair
            answer = stored.get(job.id)
            if answer is False:
                self._try_again_later(pair)
                continue
            if job.queue_id is not None:
                queue_freed = True
            # After an ambiguous try a missing row is most likely our own doing.
            lost = answer is None and not ambiguous
            if lost and outcome is not RETURNED:
                error = JobLostError(job.id, self._identity.id)
                logger.warning(
                    "%s; its outcome was not stored",
                    error,
                    extra={"event": "JobLost", "job_id": job.id, "attempt": job.attempts},
                )
            self._on_released(job, outcome, lost=lost)
        if queue_freed:
            self._on_queue_freed()

    def _try_again_later(self, pair: Pair) -> None:
        self._blocked[pair[0].id] = pair
        self._loop.call_later(_BLOCKED_FOR, self._unblock, pair[0].id)

    def _unblock(self, job_id: int) -> None:
        self.put(*self._blocked.pop(job_id))

    def _settle(self) -> None:
        if not self.backlog:
            self._empty.set()


def interrupted(delay: float) -> Unfinished:
    """The outcome of a job that the worker's shutdown cut off."""
    return Unfinished(Verdict.REFUNDED, "Job recovered after worker interruption", delay)


def _is_refusal(error: DatabaseError) -> bool:
    """The values themselves are at fault: sending them again cannot help."""
    return error.sqlstate is not None and error.sqlstate[:2] in {"22", "23"}
