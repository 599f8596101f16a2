"""Jobs that ran well, on their way out of the table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from graphile_worker.errors import DatabaseError
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import COMPLETED
from graphile_worker.queries.manage_jobs import existing_jobs
from graphile_worker.queries.release_jobs import (
    bring_to_disk,
    may_bring_to_disk,
    release_claim,
    release_completed,
)
from graphile_worker.worker.by_claim import by_claim
from graphile_worker.worker.claim_rules import ClaimRules
from graphile_worker.worker.released import Pair
from graphile_worker.worker.steady_connection import SteadyConnection
from graphile_worker.worker.stubborn_connection import StubbornConnection
from graphile_worker.worker.unconfirmed import Unconfirmed

logger = logging.getLogger(__name__)

_FORBIDDEN: Final = frozenset({"42501", "42883"})
"""The SQLSTATEs of a function that may not be called, or is not there."""


class OnAnswered(Protocol):
    """Called with what the database said of the outcomes of jobs."""

    def __call__(self, pairs: Sequence[Pair], stored: dict[int, bool], *, ambiguous: bool) -> None:
        """`stored` as `release_completed` answers; see `StubbornConnection.run`."""


class Completions:
    """Takes jobs that ran well out of the table.

    Where claims follow each other, by commits that leave the disk to the next claim; see
    `Unconfirmed`.

    Args:
        connection: of releases.
        stubborn: the same.
        claims: the connection that claims are sent on.
        keeps_sessions: both are sessions of our own. They have a lock_timeout, so that a statement
            that waits for locked rows may be tried first, which is cheaper than one that passes
            them over; and commits may leave the disk to claims.

    Collaborators: `on_completed` hears of jobs that are stored, `on_answered` of those whose
    answers are to be looked at one by one, `on_queues_freed` of queues that are free, and `on_due`
    when `settle` is to be called.
    """

    def __init__(  # noqa: PLR0913 (a name for each collaborator)
        self,
        connection: SteadyConnection,
        stubborn: StubbornConnection,
        claims: SteadyConnection,
        rules: ClaimRules,
        *,
        keeps_sessions: bool,
        on_completed: Callable[[list[ClaimedJob]], None],
        on_answered: OnAnswered,
        on_queues_freed: Callable[[list[int]], None],
        on_due: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._stubborn = stubborn
        self._schema = rules.schema
        self._identity = rules.identity
        self._keeps_sessions = keeps_sessions
        self._on_completed = on_completed
        self._on_answered = on_answered
        self._on_queues_freed = on_queues_freed
        self._on_due = on_due
        self._may_leave_disk: bool | None = None if keeps_sessions else False
        self._is_disk_due = False
        self._doubted: list[ClaimedJob] = []
        self.unconfirmed = Unconfirmed(
            claims,
            connection,
            on_confirmed=on_completed,
            on_doubted=self._doubt,
            on_overdue=self._disk_is_due,
        )

    @property
    def doubted(self) -> int:
        """How many have to be taken out once more."""
        return len(self._doubted)

    @property
    def jobs(self) -> list[ClaimedJob]:
        """Those of which it is not known that they are out for good."""
        return [*self._doubted, *self.unconfirmed.jobs]

    async def get_ready(self) -> None:
        """Find out what this session may do; to be called before each batch, and cheap."""
        if self._may_leave_disk is None:
            with suppress(DatabaseError):
                self._may_leave_disk = await self._connection.run(may_bring_to_disk(self._schema))

    async def complete(self, jobs: list[ClaimedJob]) -> None:
        """Take jobs out that are all in named queues, or none."""
        claims = by_claim(jobs) if self._keeps_sessions else None
        if claims is None:
            await self._complete_any(jobs)
            return
        for claim in claims:
            await self._complete_claim(claim)

    async def delete(self, jobs: list[ClaimedJob]) -> tuple[dict[int, bool], bool]:
        """Take out what is there of any jobs; answers as `StubbornConnection.run`."""
        statement = release_completed(self._schema, worker_id=self._identity.id, jobs=jobs)
        return await self._stubborn.run(statement)

    async def settle(self) -> None:
        """See to completions whose commits did not wait for the disk."""
        if self._is_disk_due and self.unconfirmed:
            await self._bring_to_disk()
        self._is_disk_due = False
        if self._doubted:
            doubted = self._doubted.copy()
            await self._complete_again(doubted)
            del self._doubted[: len(doubted)]

    async def _complete_any(self, jobs: list[ClaimedJob], *, ambiguous: bool = False) -> None:
        stored, also_ambiguous = await self.delete(jobs)
        pairs: list[Pair] = [(job, COMPLETED) for job in jobs]
        self._on_answered(pairs, stored, ambiguous=ambiguous or also_ambiguous)

    async def _complete_claim(self, jobs: list[ClaimedJob]) -> None:
        waits_for_disk = not (self.unconfirmed.is_followed and self._may_leave_disk)
        epoch = self.unconfirmed.epoch
        statement = release_claim(
            self._schema, worker_id=self._identity.id, jobs=jobs, waits_for_disk=waits_for_disk
        )
        gone, ambiguous = await self._stubborn.run(statement, if_locked=set())
        done = jobs if len(gone) == len(jobs) else [job for job in jobs if job.id in gone]
        if done:
            self._free_queues(done)
            if waits_for_disk:
                self._on_completed(done)
            else:
                self.unconfirmed.add(done, epoch)
        if len(done) < len(jobs):
            rest = [job for job in jobs if job.id not in gone]
            if ambiguous and not waits_for_disk:
                await self._complete_again(rest)
            else:
                await self._complete_any(rest, ambiguous=ambiguous)

    async def _complete_again(self, jobs: list[ClaimedJob]) -> None:
        """Jobs that were completed by a commit that did not wait for the disk, or perhaps not.

        One that is gone may be so because of that commit, which is not proven yet. One that is
        there, and not ours, was undone by a crash and taken by a sweep.
        """
        epoch = self.unconfirmed.epoch
        stored, _ = await self.delete(jobs)
        missing = [job for job in jobs if job.id not in stored]
        if missing:
            ids = [job.id for job in missing]
            there, _ = await self._stubborn.run(existing_jobs(self._schema, ids))
            gone = [job for job in missing if job.id not in there]
            if gone:
                self._free_queues(gone)
                self.unconfirmed.add(gone, epoch)
                jobs = [job for job in jobs if job.id in stored or job.id in there]
        self._on_answered([(job, COMPLETED) for job in jobs], stored, ambiguous=False)

    async def _bring_to_disk(self) -> None:
        mark = self.unconfirmed.mark
        try:
            await self._stubborn.run(bring_to_disk(self._schema), refuses=_is_forbidden)
        except DatabaseError as error:
            logger.warning("completions wait for the disk one by one from now on: %s", error)
            self._may_leave_disk = False
            # What is there still is taken out; what is gone was on its way to the disk anyhow.
            given_up = self.unconfirmed.give_up()
            self._doubted = [*given_up, *self._doubted]
            await self._complete_any(given_up, ambiguous=True)
            del self._doubted[: len(given_up)]
        else:
            self.unconfirmed.committed(mark)

    def _free_queues(self, jobs: list[ClaimedJob]) -> None:
        queues = [job.queue_id for job in jobs if job.queue_id is not None]
        if queues:
            self._on_queues_freed(queues)

    def _doubt(self, jobs: list[ClaimedJob]) -> None:
        self._doubted += jobs
        self._on_due()

    def _disk_is_due(self) -> None:
        self._is_disk_due = True
        self._on_due()


def _is_forbidden(error: DatabaseError) -> bool:
    return error.sqlstate in _FORBIDDEN
