"""Claims whose answer never came."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from graphile_worker.database.executor import Executor
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.queries.release_jobs import return_lost_claims
from graphile_worker.queries.workers import deregister_worker
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.worker.steady_connection import SteadyConnection

logger = logging.getLogger(__name__)

_LATE: Final = 30.0
"""Seconds after which a server that did not notice the loss has ended the claim, or it will not."""
_ANSWERS_WITHIN: Final = 5.0
"""Seconds that a courtesy to others may keep this worker from claiming, or from its end."""


class LostClaims:
    """Gives back jobs that are locked for us without our knowing.

    A connection that breaks while a claim is under way leaves it open whether the claim was carried
    out. The worker lives on, so no recovery would ever touch those jobs. They are looked for before
    the next claim, and once more later, since a server may carry out what it had already read.

    Collaborators: `held` gives all jobs that are ours; `wait_settled` waits until nobody else is
    claiming any.
    """

    def __init__(
        self,
        schema: Schema,
        identity: WorkerIdentity,
        connection: SteadyConnection,
        held: Callable[[], list[ClaimedJob]],
        wait_settled: Callable[[], Awaitable[None]],
    ) -> None:
        self._schema = schema
        self._identity = identity
        self._connection = connection
        self._held = held
        self._wait_settled = wait_settled
        self._due: list[float] = []
        self.is_looking = False
        """Whether they are being looked for: until then nobody may claim."""

    def suspect(self) -> None:
        """A claim was sent and not answered."""
        now = time.monotonic()
        self._due = [now, now + _LATE]

    async def give_back_all(self, executor: Executor) -> None:
        """Hand back whatever is locked for us, when we hold nothing, and say goodbye to the id.

        Bounded: what a database that is away keeps locked is left to the sweepers.
        """
        worker_id = self._identity.id
        statement = return_lost_claims(self._schema, worker_id=worker_id, held=())
        async with _or_leave_it():
            await executor.run(statement)
            await executor.run(deregister_worker(self._schema, worker_id))

    async def give_back_last(self, turn: asyncio.Lock) -> None:
        """Look for lost claims at the end of the worker, for which there is no later; bounded, too.

        Args:
            turn: held while a claim is under way.
        """
        async with _or_leave_it(), turn:
            await self._wait_settled()
            if self._due:
                await self._give_back()

    async def give_back(self) -> None:
        """Look for lost claims, if it is time; call it only while no claim is under way.

        Raises:
            DatabaseError: it is tried again with the next call.
        """
        if self._due and time.monotonic() >= self._due[0]:
            await self._give_back()

    async def _give_back(self) -> None:
        self.is_looking = True
        try:
            await self._wait_settled()
            returned = await self._connection.run(
                return_lost_claims(self._schema, worker_id=self._identity.id, held=self._held())
            )
        finally:
            self.is_looking = False
        self._due.pop(0)
        if returned:
            logger.warning(
                "handed back jobs whose claim was lost with its connection: %s", returned
            )


@asynccontextmanager
async def _or_leave_it() -> AsyncGenerator[None]:
    """Inside, jobs are handed back, if the database answers in time."""
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            yield
    except (DatabaseError, TimeoutError) as error:
        reason = str(error) or "the database does not answer"
        logger.warning("what is still locked is left to the sweepers: %s", reason)
