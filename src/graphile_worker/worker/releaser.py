"""The group commit of what became of jobs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from math import inf
from typing import Final, TypeVar

from graphile_worker.database.statement import Statement
from graphile_worker.errors import DatabaseError, JobLostError
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import COMPLETED, RETURNED, Outcome, Unfinished
from graphile_worker.queries.release_jobs import (
    Advanced,
    release_claim,
    release_completed,
    release_unfinished,
)
from graphile_worker.runtime.log_fields import log_fields
from graphile_worker.runtime.retry import Backoff
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.batch_delays import NO_DELAYS, BatchDelays
from graphile_worker.worker.by_claim import by_claim
from graphile_worker.worker.claim_rules import ClaimRules
from graphile_worker.worker.freed_queues import FreedQueues
from graphile_worker.worker.kept_queues import KeptQueues
from graphile_worker.worker.released import OnReleased, Pair
from graphile_worker.worker.steady_connection import LOCKED, SteadyConnection

logger = logging.getLogger(__name__)

FULL_BATCH: Final = 1000
"""Jobs in one statement; so many wait for no others."""
_MOST_ADVANCED: Final = 100
"""Queues that go on in one statement."""
_COMPANY: Final = 0.003
"""Seconds for which outcomes wait for those of jobs that are about to run."""
_BLOCKED_FOR: Final = 0.05
"""Seconds until a row that another session had locked is tried again."""
_UNSTORABLE: Final = "the error of this job could not be stored: "

T = TypeVar("T")


class Releaser:
    """Collects outcomes while a statement is under way, and sends them in the next one.

    No outcome is dropped: a lost connection is waited for, a row locked by somebody else is tried
    again, a text the database refuses is replaced. A job is ours until its outcome is stored.

    Args:
        hurries: the connection has a lock_timeout, so that a statement that waits for locked rows
            may be tried first, which is cheaper than one that passes them over.
        delays: how long outcomes wait for others, at most, while nothing hurries them.

    Collaborators: `kept_queues` are those whose next job is taken with a release; `on_completed`
    hears of jobs that ran well, many at once, and `on_released` of every other; `on_queue_freed`
    when a queue may have a next; `on_claim_lost` when it is open whether jobs were taken. Whether
    claimed jobs wait for the slots of those that end says `more_start`.
    """

    def __init__(  # noqa: PLR0913 (a name for each collaborator)
        self,
        connection: SteadyConnection,
        rules: ClaimRules,
        kept_queues: KeptQueues,
        *,
        hurries: bool,
        on_completed: Callable[[list[ClaimedJob]], None],
        on_released: OnReleased,
        on_queue_freed: Callable[[], None],
        on_claim_lost: Callable[[], None],
        more_start: Callable[[], bool],
        delays: BatchDelays = NO_DELAYS,
    ) -> None:
        self._connection = connection
        self._schema = rules.schema
        self._identity = rules.identity
        self._kept_queues = kept_queues
        self._hurries = hurries
        self._on_completed = on_completed
        self._on_released = on_released
        self._on_queue_freed = on_queue_freed
        self._on_claim_lost = on_claim_lost
        self._more_start = more_start
        self._waiting: list[Pair] = []
        self._sending: list[Pair] = []
        self._blocked: dict[int, Pair] = {}
        self._delays = delays if delays.any else None
        self._timer: asyncio.Handle | None = None
        self._flush_at = inf
        self._is_due = False
        self._wakeup = Wakeup()
        self._freed_queues = FreedQueues(rules, on_due=self._wakeup)
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
            self._timer, self._flush_at = None, inf
        if self._waiting:
            self._is_due = True
            self._wakeup()

    def hurry(self) -> None:
        """From now on nothing waits for others; idempotent."""
        self._delays = None
        self._freed_queues.hurry()
        self.flush()

    def queue_freed(self, queue_id: int) -> None:
        """A named queue of ours is free, and may have a next job."""
        self._freed_queues.add(queue_id)
        self._on_queue_freed()

    async def wait_empty(self) -> None:
        """Wait until all is stored."""
        await self._empty.wait()

    async def run(self) -> None:
        """Store outcomes until cancelled."""
        with suppress(DatabaseError):  # it is opened again when it is needed
            await self._connection.open()
        while True:
            await self._wakeup.wait()
            await self._wait_for_company()
            while self._take_due():
                await self._send(self._sending)
                self._sending = []
                await self._wait_for_company()
            if self._freed_queues.is_due:
                await self._announce()
            if not self.backlog:
                self._empty.set()

    def _wait_for_others(self, delay: float) -> None:
        """What waits is sent after `delay` seconds, or before."""
        if delay == 0 or len(self._waiting) >= FULL_BATCH:
            self.flush()
        elif not self._is_due:
            at = self._loop.time() + delay
            if at < self._flush_at:
                if self._timer is not None:
                    self._timer.cancel()
                # A timer of uvloop does not always know when it is due.
                self._timer, self._flush_at = self._loop.call_at(at, self.flush), at

    async def _wait_for_company(self) -> None:
        """Wait for jobs that start and end in the next turns of the loop; no queue waits."""
        seen, until = 0, time.monotonic() + _COMPANY
        while seen < len(self._waiting) < FULL_BATCH and self._more_start():
            if time.monotonic() > until or any(job.queue_id for job, _ in self._waiting[seen:]):
                return
            seen = len(self._waiting)
            await asyncio.sleep(0)

    def _take_due(self) -> bool:
        """Take what is to be sent now; False: nothing is."""
        if not self._waiting or not (self._is_due or self._delays is None):
            return False
        self._sending, self._waiting = self._waiting[:FULL_BATCH], self._waiting[FULL_BATCH:]
        self._is_due = bool(self._waiting)
        return True

    async def _send(self, batch: list[Pair]) -> None:
        plain = [job for job, end in batch if end is COMPLETED and job.queue_id is None]
        if plain:
            await self._complete(plain)
        if len(plain) < len(batch):
            others = [pair for pair in batch if pair[1] is not COMPLETED or pair[0].queue_id]
            await self._send_mixed(others)

    async def _send_mixed(self, batch: list[Pair]) -> None:
        completed: list[ClaimedJob] = []
        kept: list[Pair] = []
        unfinished: list[tuple[ClaimedJob, Unfinished]] = []
        for pair in batch:
            job, end = pair
            if isinstance(end, Unfinished):
                unfinished.append((job, end))
            elif job.queue_id is not None and self._kept_queues.keeps(job):
                kept.append(pair)
            else:
                completed.append(job)
        while kept:
            await self._advance(kept[:_MOST_ADVANCED])
            del kept[:_MOST_ADVANCED]
        if completed:
            await self._complete(completed)
        if unfinished:
            await self._send_unfinished(unfinished)

    async def _advance(self, pairs: list[Pair]) -> None:
        """Release jobs of named queues, and go on with the next job of each."""
        jobs = [job for job, _ in pairs]
        statement = self._kept_queues.advance(jobs)
        answer = None if statement is None else await self._try_to_advance(statement)
        ambiguous = False
        if answer is None:
            stored, ambiguous = await self._delete(jobs)
            ambiguous = ambiguous or statement is not None
            answer = Advanced(stored, {})
        taken = answer.taken
        for job in jobs:
            if job.id not in taken:
                self._kept_queues.let_go(job)
        self._stored(pairs, answer.stored, ambiguous=ambiguous, going_on=taken)
        for job in jobs:
            if job.id in taken:
                self._kept_queues.go_on(job, taken[job.id])
        if taken:
            # They begin before the next statement: where they end at once, it releases all of them
            # together, instead of in two halves that take turns for ever.
            await asyncio.sleep(0)

    async def _try_to_advance(self, statement: Statement[Advanced]) -> Advanced | None:
        """None: no answer came, and the jobs may have been released or not."""
        try:
            return await self._connection.run(statement)
        except DatabaseError as error:
            logger.warning("cannot go on with named queues, letting them go: %s", error)
            self._on_claim_lost()
            return None
        finally:
            self._kept_queues.answered()

    async def _announce(self) -> None:
        try:
            await self._connection.run(self._freed_queues.announcement())
        except DatabaseError as error:
            logger.debug("cannot announce queues that are free: %s", error)

    async def _complete(self, jobs: list[ClaimedJob]) -> None:
        """Jobs that ran well, all in named queues or none."""
        claims = by_claim(jobs) if self._hurries else None
        if claims is None:
            await self._complete_any(jobs)
            return
        for claim in claims:
            await self._complete_claim(claim)

    async def _complete_any(self, jobs: list[ClaimedJob], *, ambiguous: bool = False) -> None:
        stored, also_ambiguous = await self._delete(jobs)
        pairs: list[Pair] = [(job, COMPLETED) for job in jobs]
        self._stored(pairs, stored, ambiguous=ambiguous or also_ambiguous)

    async def _complete_claim(self, jobs: list[ClaimedJob]) -> None:
        statement = release_claim(self._schema, worker_id=self._identity.id, jobs=jobs)
        try:
            gone, ambiguous = await self._persist(statement, waits_for_locks=False)
        except DatabaseError as error:
            if error.sqlstate != LOCKED:
                raise
            await self._complete_any(jobs)
            return
        done = jobs if len(gone) == len(jobs) else [job for job in jobs if job.id in gone]
        if done:
            self._completed(done)
        if len(done) < len(jobs):
            rest = [job for job in jobs if job.id not in gone]
            await self._complete_any(rest, ambiguous=ambiguous)

    def _completed(self, jobs: list[ClaimedJob]) -> None:
        for job in jobs:
            if job.queue_id is None:
                break  # then none is in a queue
            self.queue_freed(job.queue_id)
        self._on_completed(jobs)

    async def _delete(self, jobs: list[ClaimedJob]) -> tuple[dict[int, bool], bool]:
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
        self, statement: Statement[T], *, waits_for_locks: bool = True
    ) -> tuple[T, bool]:
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
                if _is_refusal(error) or (error.sqlstate == LOCKED and not waits_for_locks):
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

    def _stored(
        self,
        pairs: Sequence[Pair],
        stored: dict[int, bool],
        *,
        ambiguous: bool,
        going_on: Container[int] = (),
    ) -> None:
        for pair in pairs:
            job, outcome = pair
            answer = stored.get(job.id)
            if answer is False:
                self._try_again_later(pair)
                continue
            if job.queue_id is not None and job.id not in going_on:
                self.queue_freed(job.queue_id)
            # After an ambiguous try a missing row is most likely our own doing.
            lost = answer is None and not ambiguous
            if lost and outcome is not RETURNED:
                error = JobLostError(job.id, self._identity.id)
                log_fields(
                    logger,
                    logging.WARNING,
                    "%s; its outcome was not stored",
                    error,
                    fields={"event": "JobLost", "job_id": job.id, "attempt": job.attempts},
                )
            self._on_released(job, outcome, lost=lost)

    def _try_again_later(self, pair: Pair) -> None:
        self._blocked[pair[0].id] = pair
        self._loop.call_later(_BLOCKED_FOR, self._unblock, pair[0].id)

    def _unblock(self, job_id: int) -> None:
        self.put(*self._blocked.pop(job_id))


def _is_refusal(error: DatabaseError) -> bool:
    """The values themselves are at fault: sending them again cannot help."""
    return error.sqlstate is not None and error.sqlstate[:2] in {"22", "23"}
