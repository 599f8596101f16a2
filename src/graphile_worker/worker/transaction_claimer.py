"""Claims that are row locks of an open transaction: `claim_mode="transaction"`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from graphile_worker.database.statement import Statement
from graphile_worker.errors import DatabaseError
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import COMPLETED, Outcome
from graphile_worker.queries.claim_jobs import FRONT, Place, batch_size
from graphile_worker.queries.row_locks import BEGIN, COMMIT, claim_by_row_lock, settle_row_locks
from graphile_worker.runtime.retry import Backoff
from graphile_worker.runtime.shutdown import ShutdownSignal
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.claim_loop import Hindrances, MissingRoom, claim_until_empty, pause
from graphile_worker.worker.claim_rules import ClaimRules
from graphile_worker.worker.looks import Looks
from graphile_worker.worker.lost_claims import LostClaims
from graphile_worker.worker.plans import Plans
from graphile_worker.worker.released import OnReleased, Pair
from graphile_worker.worker.row_lock_batch import RowLockBatch, State
from graphile_worker.worker.steady_connection import SteadyConnection
from graphile_worker.worker.task_ids import TaskIds

logger = logging.getLogger(__name__)

OLDEST: Final = 5.0
"""Seconds after which a transaction ends, whatever still runs."""


class TransactionClaimer:
    """Claims jobs by locking their rows, and deletes them in the transaction that locked them.

    Each lane has a connection and one transaction at a time; lanes overlap. A job that does not
    end well, or not in time, is locked in the usual way by the transaction's last statement, and
    released in the usual way: transactions stay young, and nothing else is special about it.

    Collaborators: `room` and `take` as for `Claimer`; `turn_to_claim` is awaited before a claim;
    `release` takes a job that is locked in the usual way; `on_completed` hears of those
    that are done, and `on_released` of all others.
    """

    def __init__(  # noqa: PLR0913 (a name for each collaborator)
        self,
        rules: ClaimRules,
        lanes: list[SteadyConnection],
        task_ids: TaskIds,
        wakeup: Wakeup,
        shutdown: ShutdownSignal,
        lost_claims: LostClaims,
        *,
        room: Callable[[], int],
        take: Callable[[list[ClaimedJob], int], None],
        turn_to_claim: Callable[[], Awaitable[None]] | None,
        release: Callable[[ClaimedJob, Outcome], None],
        on_completed: Callable[[list[ClaimedJob]], None],
        on_released: OnReleased,
    ) -> None:
        self._rules = rules
        self._lanes = [(connection, Plans(connection)) for connection in lanes]
        self._task_ids = task_ids
        self._wakeup = wakeup
        self._shutdown = shutdown
        self._lost_claims = lost_claims
        self._room = room
        self._take = take
        self._turn_to_claim = turn_to_claim
        self._release = release
        self._on_completed = on_completed
        self._on_released = on_released
        # By the identity of the claim, until the job has ended.
        self._batches: dict[int, RowLockBatch] = {}
        self._locked: dict[int, ClaimedJob] = {}
        # By the identity of a job as it is released, until it is.
        self._taken_as: dict[int, ClaimedJob] = {}
        self._looks = Looks(by_index=rules.by_index)
        self._hindrances = Hindrances(shutdown)
        self._asking = asyncio.Lock()
        self.is_answered = False
        """Whether the last claim was answered."""
        self.answered_at: float | None = None
        """When one was answered last, on the monotonic clock."""
        self._missing_room = MissingRoom(wakeup)
        self.room_made = self._missing_room.made
        """To be called when a slot is free or an outcome stored."""
        self.queue_freed = self._looks.queue_freed
        """To be called when a named queue that was locked for us is free."""
        self.turn = asyncio.Lock()
        """Held while jobs are being locked; who takes it keeps that from happening."""

    def locked_as(self, job: ClaimedJob) -> ClaimedJob | None:
        """How a running job is locked for us in the table; None: not there, or not at all."""
        return self._locked.get(id(job))

    def as_taken(self, jobs: list[ClaimedJob]) -> list[ClaimedJob]:
        """The jobs that `take` was given, by what `release` was given; to be asked once."""
        if not self._taken_as:
            return jobs
        return [self._taken_as.pop(id(job), job) for job in jobs]

    def put(self, job: ClaimedJob, outcome: Outcome) -> None:
        """A job has ended."""
        batch = self._batches.pop(id(job), None)
        if batch is None:
            self._release(job, outcome)
            return
        batch.end(job, outcome)
        if batch.is_open:
            return
        if batch.state is State.COMMITTED:
            self._release_locked(job, self._locked.pop(id(job)), outcome)
        elif batch.state is State.LOST:
            self._on_released(job, outcome, lost=True)

    async def run(self) -> None:
        """Claim until the worker drains and what was claimed is settled, through any outage."""
        # All of them before the first job: handlers that end at once leave the loop no time.
        openings = [connection.open() for connection, _ in self._lanes]
        await asyncio.gather(*openings, return_exceptions=True)  # opened again when needed
        async with asyncio.TaskGroup() as group:
            for connection, plans in self._lanes:
                group.create_task(self._run_lane(connection, plans), name="claim")

    async def run_until_empty(self, is_idle: Callable[[], bool]) -> None:
        """Claim until nothing is due and nothing runs.

        Raises:
            DatabaseError: a claim failed.
        """
        connection, plans = self._lanes[0]
        await claim_until_empty(
            lambda: self._do_batch(connection, plans),
            is_idle=is_idle,
            room=self._missing_room,
            shutdown=self._shutdown,
            poll_interval=self._rules.poll_interval,
        )

    async def _run_lane(self, connection: SteadyConnection, plans: Plans) -> None:
        delays = Backoff().delays()
        while not self._shutdown.draining.is_set():
            try:
                async with self._asking:
                    if self._shutdown.draining.is_set():
                        break
                    batch = await self._claim_into_room(connection, plans)
                    if batch is not None and not batch.size:
                        await connection.run(COMMIT)
                        await self._task_ids.refresh_if_old(connection)
                        await self._wakeup.wait(self._rules.poll_interval)
                if batch is not None and batch.size:
                    await self._finish(connection, batch)
            except DatabaseError as error:
                self.is_answered = False
                delay = next(delays)
                logger.warning("cannot claim jobs, trying again in %.1f s: %s", delay, error)
                await pause(self._shutdown, delay)
                continue
            delays = Backoff().delays()

    async def _do_batch(self, connection: SteadyConnection, plans: Plans) -> int | None:
        """How many jobs were claimed and are settled; None when there was no room."""
        batch = await self._claim_into_room(connection, plans)
        if batch is None:
            return None
        await self._finish(connection, batch)
        return batch.size

    async def _claim_into_room(
        self, connection: SteadyConnection, plans: Plans
    ) -> RowLockBatch | None:
        """Lock jobs and start them.

        None, after a while, when there was no room, or others were in the way.
        """
        if self._turn_to_claim is not None:
            await self._turn_to_claim()
        room = self._room()
        if room <= 0:
            await self._missing_room.wait()
            return None
        asked = batch_size(room)
        async with self.turn:
            await self._lost_claims.give_back()
            await plans.renew_if_old()
            jobs = await self._lock(connection, plans, asked)
            batch = RowLockBatch(jobs or [])
            self._batches |= dict.fromkeys(map(id, jobs or []), batch)
        if jobs is None:
            await self._hindrances.let_pass()
            return None
        self._take(jobs, asked)
        return batch

    async def _lock(
        self, connection: SteadyConnection, plans: Plans, limit: int
    ) -> list[ClaimedJob] | None:
        """None: the locks of others were in the way."""
        started = time.monotonic()
        try:
            await connection.run(BEGIN)
            # With everything paused, a claim would read all jobs that are due.
            jobs = await self._look(connection, limit) if self._task_ids.ids else []
        except BaseException as error:
            await connection.aclose()
            if isinstance(error, DatabaseError) and self._hindrances.is_one(error):
                return None
            raise
        self.answered_at = plans.claimed(started)
        self.is_answered = True
        self._hindrances.passed()
        return jobs

    async def _look(self, connection: SteadyConnection, limit: int) -> list[ClaimedJob]:
        aim = self._looks.next(limit)
        started = time.monotonic()
        jobs = await connection.run(self._claim(limit, aim.start))
        self._looks.claimed(jobs, aim, time.monotonic() - started, limit)
        if not jobs and aim.start != FRONT:
            return await self._look(connection, limit)
        return jobs

    def _claim(self, limit: int, start: Place) -> Statement[list[ClaimedJob]]:
        rules = self._rules
        return claim_by_row_lock(
            rules.schema,
            task_ids=self._task_ids.ids,
            forbidden_flags=rules.forbidden_flags,
            now=rules.now(),
            limit=limit,
            start=start,
            details=self._task_ids.show_jobs,
        )

    async def _finish(self, connection: SteadyConnection, batch: RowLockBatch) -> None:
        """Wait for the jobs, and commit what became of them.

        Raises:
            DatabaseError: nothing of it is stored, or nobody knows; the jobs will run again.
        """
        await batch.wait_ended(OLDEST)
        batch.enter(State.SETTLING)
        try:
            await self._settle(connection, batch)
        except BaseException:
            # Rolls back what may be open.
            await connection.aclose()
            self._lose(batch)
            raise

    async def _settle(self, connection: SteadyConnection, batch: RowLockBatch) -> None:
        unfinished = [job for job, _ in batch.unfinished]
        running = batch.running
        if not unfinished and not running:
            await self._end(connection, batch, [])
            locked = {}
        else:
            # Nobody may look for lost claims before we know which jobs are locked for us.
            async with self.turn:
                locked = await self._end(connection, batch, [*unfinished, *running])
                batch.enter(State.COMMITTED)
                for job in running:
                    self._locked[id(job)] = job._replace(locked_at=locked[job.id])
        batch.enter(State.COMMITTED)
        if batch.done:
            self._on_completed(batch.done)
        for job, outcome in batch.others():
            if job.id in locked:
                self._locked.pop(id(job), None)
                self._release_locked(job, job._replace(locked_at=locked[job.id]), outcome)
            else:
                self._on_released(job, outcome, lost=False)

    async def _end(
        self, connection: SteadyConnection, batch: RowLockBatch, unfinished: list[ClaimedJob]
    ) -> dict[int, float]:
        locked: dict[int, float] = {}
        if batch.done or unfinished:
            locked = await connection.run(
                settle_row_locks(
                    self._rules.schema,
                    worker_id=self._rules.identity.id,
                    done=batch.done,
                    unfinished=unfinished,
                    now=self._rules.now(),
                )
            )
        await connection.run(COMMIT)
        return locked

    def _release_locked(self, job: ClaimedJob, locked: ClaimedJob, outcome: Outcome) -> None:
        self._taken_as[id(locked)] = job
        self._release(locked, outcome)

    def _lose(self, batch: RowLockBatch) -> None:
        batch.enter(State.LOST)
        done: list[Pair] = [(job, COMPLETED) for job in batch.done]
        logger.warning(
            "a transaction was lost, and with it the claims of %d jobs, which will run again",
            batch.size,
        )
        self._lost_claims.suspect()
        for job, outcome in [*done, *batch.others()]:
            self._on_released(job, outcome, lost=True)
