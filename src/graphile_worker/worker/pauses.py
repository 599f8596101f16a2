"""What this worker leaves alone, since somebody paused it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from graphile_worker.client.operations.pausing import finish_resuming
from graphile_worker.client.setup import Setup
from graphile_worker.database.executor import Connection, Lender
from graphile_worker.database.operation import perform
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.pauses import PauseRow, pause_overview, pause_rows
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.engine import Engine
from graphile_worker.worker.task_ids import TaskIds

logger = logging.getLogger(__name__)

EVERY: Final = 30.0
"""Seconds between two looks, where notifications tell of changes."""
EVERY_UNTOLD: Final = 5.0
"""The same where none come."""
_RESUMING: Final = 1.0
"""The same while a queue waits for its running job."""


@dataclass(frozen=True, slots=True)
class _State:
    everything: bool = False
    tasks: frozenset[str] = frozenset()
    crons: frozenset[str] = frozenset()
    resumed_crons: Mapping[str, datetime] = field(default_factory=dict[str, datetime])


class PauseWatch:
    """Knows what is paused in a schema, and keeps a worker's tasks to it.

    Looks when it is told to, and every half minute; a database that is away changes nothing. Looks
    also after queues that were resumed while a job of theirs was running, and frees them when that
    has ended: the job's own worker may not know of pauses.
    """

    def __init__(
        self, database: Lender, schema: Schema, task_ids: TaskIds, *, is_told: bool
    ) -> None:
        self._database = database
        self._schema = schema
        self._task_ids = task_ids
        self._every = EVERY if is_told else EVERY_UNTOLD
        self._wakeup = Wakeup()
        self._state = _State()
        self._resuming = False

    def told(self, schema: str | None) -> None:
        """Something was paused or resumed in this schema; None: it may have been in ours."""
        if schema is None or schema == self._schema.name:
            self._wakeup()

    def is_paused(self, identifier: str, /) -> bool:
        """Whether a cron entry is paused."""
        return identifier in self._state.crons

    def resumed_at(self, identifier: str, /) -> datetime | None:
        """When the last pause of a cron entry ended."""
        return self._state.resumed_crons.get(identifier)

    async def run(self, engine: Engine, wake: Wakeup) -> None:
        """Look until cancelled.

        Args:
            engine: whose jobs of paused tasks are handed back, if they only wait for a slot.
            wake: called when a task may be claimed that could not be before.
        """
        while True:
            await self._wakeup.wait(_RESUMING if self._resuming else self._every)
            before = set(self._task_ids.ids)
            await self.look()
            now = set(self._task_ids.ids)
            if before - now:
                await _hand_back_waiting(engine)
            if now - before:
                wake()

    async def look(self) -> None:
        """Find out what is paused; never raises for a database that is away."""
        try:
            async with self._database.connection() as connection:
                rows = await self._read(connection)
        except DatabaseError as error:
            logger.warning("cannot see what is paused: %s", error)
            return
        self._apply(_state(rows))

    async def _read(self, connection: Connection) -> list[PauseRow]:
        """What is and was paused; meanwhile, queues are freed that wait for no job any more."""
        is_used, self._resuming = await connection.run(pause_overview(self._schema))
        if self._resuming:
            async with connection.transaction():
                await perform(connection, finish_resuming(Setup(schema=self._schema)))
        return await connection.run(pause_rows(self._schema)) if is_used else []

    def _apply(self, state: _State) -> None:
        known = self._task_ids.identifiers
        changed = _described(state, known) != _described(self._state, known)
        self._state = state
        self._task_ids.pause(known if state.everything else state.tasks)
        if changed:
            logger.warning("paused from now on: %s", _described(state, known))


def _described(state: _State, known: Collection[str]) -> str:
    """What of it concerns a worker that knows these tasks."""
    names = [f"the task {name!r}" for name in sorted(state.tasks) if name in known]
    names += [f"the cron entry {name!r}" for name in sorted(state.crons)]
    return "everything" if state.everything else ", ".join(names) or "nothing"


async def _hand_back_waiting(engine: Engine) -> None:
    """What was claimed ahead may be of a paused task; what is not is claimed again at once."""
    if engine.local_queue is not None:
        async with engine.claimer.turn:  # a claim that was sent before is answered now
            engine.local_queue.clear()


def _state(rows: list[PauseRow]) -> _State:
    held = [row for row in rows if row.resumed_at is None]
    return _State(
        everything=any(row.kind == "all" for row in held),
        tasks=frozenset(row.pause.name for row in held if row.kind == "task"),
        crons=frozenset(row.pause.name for row in held if row.kind == "cron"),
        resumed_crons={
            row.pause.name: row.resumed_at
            for row in rows
            if row.kind == "cron" and row.resumed_at is not None
        },
    )
