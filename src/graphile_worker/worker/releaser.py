"""The group commit of what became of jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from typing import Final

from graphile_worker.database.statement import Statement
from graphile_worker.errors import DatabaseError, JobLostError
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import COMPLETED, RETURNED, Unfinished
from graphile_worker.queries.release_jobs import Advanced, release_unfinished
from graphile_worker.runtime.log_fields import log_fields
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.batch_delays import NO_DELAYS, BatchDelays
from graphile_worker.worker.claim_rules import ClaimRules
from graphile_worker.worker.completions import Completions
from graphile_worker.worker.freed_queues import FreedQueues
from graphile_worker.worker.kept_queues import KeptQueues
from graphile_worker.worker.released import OnReleased, Pair
from graphile_worker.worker.steady_connection import SteadyConnection
from graphile_worker.worker.stubborn_connection import StubbornConnection
from graphile_worker.worker.waiting_outcomes import WaitingOutcomes

logger = logging.getLogger(__name__)

_MOST_ADVANCED: Final = 100
"""Queues that go on in one statement."""
_BLOCKED_FOR: Final = 0.05
"""Seconds until a row that another session had locked is tried again."""
_UNSTORABLE: Final = "the error of this job could not be stored: "


class Releaser:
    """Sends the outcomes that came in while a statement was under way in the next one.

    No outcome is dropped: a lost connection is waited for, a row locked by somebody else is tried
    again, a text the database refuses is replaced. A job is ours until its outcome is stored.

    Args:
        connection: for releases alone.
        claims: the connection that claims are sent on.
        keeps_sessions: whether both are sessions of our own; see `Completions`.
        delays: how long outcomes wait for others, at most, while nothing hurries them.

    Collaborators: `kept_queues` are those whose next job is taken with a release; `on_completed`
    hears of jobs that ran well, many at once, and `on_released` of every other; `on_queue_freed`
    when a queue may have a next; `on_claim_lost` when it is open whether jobs were taken; `on_room`
    when the backlog is smaller, which is before jobs that ran well are stored for good. Whether
    claimed jobs wait for the slots of those that end says `more_start`.
    """

    def __init__(  # noqa: PLR0913 (a name for each collaborator)
        self,
        connection: SteadyConnection,
        rules: ClaimRules,
        kept_queues: KeptQueues,
        *,
        claims: SteadyConnection,
        keeps_sessions: bool,
        on_completed: Callable[[list[ClaimedJob]], None],
        on_released: OnReleased,
        on_queue_freed: Callable[[], None],
        on_claim_lost: Callable[[], None],
        on_room: Callable[[], None],
        more_start: Callable[[], bool],
        delays: BatchDelays = NO_DELAYS,
    ) -> None:
        self._connection = connection
        self._schema = rules.schema
        self._identity = rules.identity
        self._kept_queues = kept_queues
        self._on_released = on_released
        self._on_queue_freed = on_queue_freed
        self._on_claim_lost = on_claim_lost
        self._on_room = on_room
        self._sending: list[Pair] = []
        self._blocked: dict[int, Pair] = {}
        self._wakeup = Wakeup()
        self._freed_queues = FreedQueues(rules, on_due=self._wakeup)
        self._stubborn = StubbornConnection(connection, self._what_is_open)
        self._completions = Completions(
            connection,
            self._stubborn,
            claims,
            rules,
            keeps_sessions=keeps_sessions,
            on_completed=self._completed,
            on_answered=self._stored,
            on_queues_freed=self._queues_freed,
            on_due=self._wakeup,
        )
        self.unconfirmed = self._completions.unconfirmed
        """Completions that wait for the disk, which claims are to tell of themselves."""
        self._on_completed = on_completed
        self._awaited = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._waiting = WaitingOutcomes(
            delays, on_filled=self._empty.clear, on_due=self._wakeup, more_start=more_start
        )
        self.put = self._waiting.put
        """To be called with each job that ran, and what became of it: it is stored soon."""
        self.flush = self._waiting.flush
        """To be called when what waits now is to wait no longer for others."""
        self._loop = asyncio.get_running_loop()

    @property
    def backlog(self) -> int:
        """How many outcomes are not released yet."""
        waiting, blocked = len(self._waiting), len(self._blocked)
        return waiting + len(self._sending) + blocked + self._completions.doubted

    @property
    def is_empty(self) -> bool:
        """Whether all outcomes are stored."""
        return not self.backlog and not self.unconfirmed

    @property
    def unreleased(self) -> list[ClaimedJob]:
        """The jobs whose outcomes are not stored yet."""
        pairs = (*self._waiting, *self._sending, *self._blocked.values())
        jobs = [*(job for job, _ in pairs), *self._completions.jobs]
        return list({id(job): job for job in jobs}.values())

    def hurry(self) -> None:
        """From now on nothing waits for others; idempotent."""
        self._freed_queues.hurry()
        self._waiting.hurry()

    def queue_freed(self, queue_id: int) -> None:
        """A named queue of ours is free, and may have a next job."""
        self._queues_freed([queue_id])

    async def wait_empty(self) -> None:
        """Wait until all is stored, and who has to be told is told."""
        self._awaited += 1
        self._wakeup()  # it may be so already, without anybody having looked
        try:
            await self._empty.wait()
        finally:
            self._awaited -= 1

    async def run(self) -> None:
        """Store outcomes until cancelled."""
        with suppress(DatabaseError):  # it is opened again when it is needed
            await self._connection.open()
        try:
            while True:
                await self._wakeup.wait()
                await self._store()
        finally:
            self.unconfirmed.stop()

    async def _store(self) -> None:
        """Send what is due, and what becomes due meanwhile."""
        completions = self._completions
        await completions.get_ready()
        waiting = self._waiting
        await waiting.wait_for_company()
        while batch := waiting.take():
            self._sending = batch
            await self._send(batch)
            self._sending = []
            self._on_room()
            await completions.settle()
            await waiting.wait_for_company()
        await completions.settle()
        if self._freed_queues.is_due:
            await self._announce()
        if self.is_empty:
            self._empty.set()

    async def _send(self, batch: list[Pair]) -> None:
        plain = [job for job, end in batch if end is COMPLETED and job.queue_id is None]
        if plain:
            await self._completions.complete(plain)
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
            await self._completions.complete(completed)
        if unfinished:
            await self._send_unfinished(unfinished)

    async def _advance(self, pairs: list[Pair]) -> None:
        """Release jobs of named queues, and go on with the next job of each."""
        jobs = [job for job, _ in pairs]
        statement = self._kept_queues.advance(jobs)
        answer = None if statement is None else await self._try_to_advance(statement)
        ambiguous = False
        if answer is None:
            stored, ambiguous = await self._completions.delete(jobs)
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

    async def _send_unfinished(self, jobs: Sequence[tuple[ClaimedJob, Unfinished]]) -> None:
        statement = release_unfinished(self._schema, worker_id=self._identity.id, jobs=jobs)
        try:
            stored, ambiguous = await self._stubborn.run(statement)
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
        stored, ambiguous = await self._stubborn.run(statement)
        self._stored([(job, safe)], stored, ambiguous=ambiguous)

    def _what_is_open(self) -> str:
        return f"store the outcome of {len(self.unreleased)} jobs"

    def _completed(self, jobs: list[ClaimedJob]) -> None:
        self._on_completed(jobs)
        if self._awaited:
            self._wakeup()

    def _queues_freed(self, queue_ids: list[int]) -> None:
        self._freed_queues.add(queue_ids)
        self._on_queue_freed()

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
