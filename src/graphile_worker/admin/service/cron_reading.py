"""Reading recurring jobs, and what history has of their last runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from graphile_worker.admin.service.crons import (
    CronEntry,
    CronReading,
    cron_entries,
    wanted_runs,
    with_runs,
)
from graphile_worker.admin.service.fleet import FleetMember
from graphile_worker.admin.service.sessions import Sessions
from graphile_worker.client.operations import history, pausing
from graphile_worker.client.setup import Setup
from graphile_worker.cron.crontab import Crontab
from graphile_worker.database.operation import perform
from graphile_worker.errors import DatabaseError
from graphile_worker.queries import cron
from graphile_worker.queries.history_reading import FirstAttempt, first_attempts

_MOST_LOOKED_AT: Final = 200_000
"""Recorded attempts, for all runs together; each run has a share, of at most as many as next."""
_MOST_OF_ONE: Final = 5_000
_LEAST_OF_ONE: Final = 100


async def read_crons(
    sessions: Sessions, crontabs: Sequence[Crontab], fleet: Sequence[FleetMember]
) -> list[CronEntry]:
    """Recurring jobs, by identifier.

    Args:
        sessions: the database.
        crontabs: the entries that are known here.
        fleet: the workers.

    Raises:
        DatabaseError: the database does not answer; where only history does not, nothing is known
            of past runs.
    """
    setup = Setup(schema=sessions.schema)
    async with sessions.reading() as connection:
        read = CronReading(
            known=await connection.run(cron.known_crontabs(sessions.schema)),
            pauses=(await perform(connection, pausing.paused(setup))).crons,
            now=await connection.run(cron.now()),
        )
    wanted = await asyncio.to_thread(wanted_runs, crontabs, read)
    pairs = [pair for runs in wanted.values() for pair in runs]
    recorded = await _recorded(sessions, pairs)
    return with_runs(cron_entries(crontabs, read, fleet), wanted, recorded, read.now)


async def _recorded(
    sessions: Sessions, wanted: Sequence[tuple[str, datetime]]
) -> Sequence[FirstAttempt | None]:
    """What history has of each; None of all where it is not kept, or does not answer in time."""
    nothing: list[FirstAttempt | None] = [None] * len(wanted)
    if not wanted:
        return nothing
    scope = max(_LEAST_OF_ONE, min(_MOST_OF_ONE, _MOST_LOOKED_AT // len(wanted)))
    try:
        async with sessions.reading() as connection:
            kept = await perform(connection, history.config(sessions.schema))
            if kept is None or kept.run_log == "off":
                return nothing
            return await connection.run(first_attempts(sessions.schema, wanted, scope=scope))
    except DatabaseError:
        return nothing
