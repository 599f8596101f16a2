"""The one claim loop of a worker."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from graphile_worker.database.statement import Statement
from graphile_worker.errors import ConnectionLostError, DatabaseError
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Outcome
from graphile_worker.queries.claim_jobs import batch_size, claim_jobs
from graphile_worker.runtime.retry import Backoff
from graphile_worker.runtime.shutdown import ShutdownSignal
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.claim_loop import Hindrances, MissingRoom, claim_until_empty, pause
from graphile_worker.worker.claim_rules import ClaimRules
from graphile_worker.worker.looks import Aim, Looks
from graphile_worker.worker.lost_claims import LostClaims
from graphile_worker.worker.plans import Plans
from graphile_worker.worker.steady_connection import SteadyConnection
from graphile_worker.worker.task_ids import TaskIds
from graphile_worker.worker.unconfirmed import Unconfirmed

logger = logging.getLogger(__name__)


class Claimer:
    """Asks for as many jobs as there is room for, and again while there is both room and work.

    Collaborators: `room` says how many jobs may be claimed now, `take` takes those that came over,
    and hears how many were asked for; `release` is given what became of each; claims that find jobs
    bring those that are `unconfirmed` to the disk; `turn_to_claim` is awaited after each in `run`.
    """

    def __init__(  # noqa: PLR0913 (a name for each collaborator)
        self,
        rules: ClaimRules,
        connection: SteadyConnection,
        task_ids: TaskIds,
        wakeup: Wakeup,
        shutdown: ShutdownSignal,
        lost_claims: LostClaims,
        *,
        room: Callable[[], int],
        take: Callable[[list[ClaimedJob], int], None],
        release: Callable[[ClaimedJob, Outcome], None],
        unconfirmed: Unconfirmed,
        turn_to_claim: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._rules = rules
        self._connection = connection
        self._task_ids = task_ids
        self._wakeup = wakeup
        self._shutdown = shutdown
        self._lost_claims = lost_claims
        self._room = room
        self._take = take
        self._unconfirmed = unconfirmed
        self._turn_to_claim = turn_to_claim
        self.put = release
        """To be called with each job that was taken, and what became of it."""
        self._backoff = Backoff()
        self._looks = Looks(by_index=rules.by_index)
        self._plans = Plans(connection)
        self._hindrances = Hindrances(shutdown)
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
        """Held while a claim is under way; who takes it keeps claims from being sent."""

    @staticmethod
    def locked_as(job: ClaimedJob) -> ClaimedJob | None:
        """How a job that runs is locked for us, as far as we know: as it was claimed."""
        return job

    @staticmethod
    def as_taken(jobs: list[ClaimedJob]) -> list[ClaimedJob]:
        """The jobs that `take` was given, by what `release` was given: the same."""
        return jobs

    async def run(self) -> None:
        """Claim until the worker drains, through any outage of the database.

        Ends between claims, never within one: a claim that was sent is always waited for, since
        only its answer says which jobs are ours.
        """
        delays = self._backoff.delays()
        while not self._shutdown.draining.is_set():
            try:
                claimed = await self._claim_into_room()
            except DatabaseError as error:
                self.is_answered = False
                delay = next(delays)
                logger.warning("cannot claim jobs, trying again in %.1f s: %s", delay, error)
                await pause(self._shutdown, delay)
                continue
            delays = self._backoff.delays()
            if claimed == 0:
                await self._idle()
            if self._turn_to_claim is not None:
                await self._turn_to_claim()

    async def run_until_empty(self, is_idle: Callable[[], bool]) -> None:
        """Claim until nothing is due and nothing runs.

        Raises:
            DatabaseError: a claim failed.
        """
        await claim_until_empty(
            self._claim_into_room,
            is_idle=is_idle,
            room=self._missing_room,
            shutdown=self._shutdown,
            poll_interval=self._rules.poll_interval,
        )

    async def _claim_into_room(self) -> int | None:
        """Claim once and start what came, and say how much.

        None is no reason to rest: there was no room, and now there may be, or others were in the
        way, or nothing was found without a look everywhere.
        """
        room = self._room()
        if room <= 0:
            # Whatever makes room wakes us while this is set, so there is no need to poll.
            await self._missing_room.wait()
            return None
        asked = batch_size(room)
        async with self.turn:
            await self._lost_claims.give_back()
            await self._plans.renew_if_old()
            aim = self._looks.next(asked)
            try:
                jobs = await self._send_claim(asked, aim)
            except DatabaseError as error:
                if not self._hindrances.is_one(error):
                    raise
                jobs = None
        if jobs is None:
            await self._hindrances.let_pass()
            return None
        self._take(jobs, asked)
        if jobs:
            # They begin before the next claim: where they end at once, it asks for all their slots
            # together, instead of for the one that was free already.
            await asyncio.sleep(0)
        return None if not jobs and aim is not self._looks.everywhere else len(jobs)

    async def _send_claim(self, limit: int, aim: Aim) -> list[ClaimedJob]:
        started = time.monotonic()
        if not self._task_ids.ids:
            # Everything is paused; to find that out, a claim would read all jobs that are due.
            self.answered_at, self.is_answered = started, True
            self._looks.claimed([], aim, 0.0, limit)
            return []
        mark = self._unconfirmed.claim_sent()
        found = 0
        try:
            jobs = await self._connection.run(self._statement(limit, aim))
            found = len(jobs)
        except (ConnectionLostError, asyncio.CancelledError):
            self._lost_claims.suspect()
            raise
        finally:
            self._unconfirmed.claim_ended(mark if found else None, is_full=found == limit)
        self.answered_at = self._plans.claimed(started)
        self.is_answered = True
        self._hindrances.passed()
        self._looks.claimed(jobs, aim, self.answered_at - started, limit)
        return jobs

    def _statement(self, limit: int, aim: Aim) -> Statement[list[ClaimedJob]]:
        rules = self._rules
        return claim_jobs(
            rules.schema,
            worker_id=rules.identity.id,
            task_ids=self._task_ids.ids,
            forbidden_flags=rules.forbidden_flags,
            now=rules.now(),
            limit=limit,
            look=aim.look,
            start=aim.start,
            by_index=rules.by_index,
            details=self._task_ids.show_jobs,
        )

    async def _idle(self) -> None:
        # On our own connection: handlers may hold all those of the pool.
        await self._task_ids.refresh_if_old(self._connection)
        is_called = await self._wakeup.wait(self._rules.poll_interval)
        self._looks.idle(is_called=is_called)
