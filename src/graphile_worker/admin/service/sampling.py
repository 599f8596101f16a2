"""Taking the samples that all viewers share."""

from __future__ import annotations

from typing import Final

from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.sessions import LONG_SECONDS, Sessions
from graphile_worker.client.operations.looking import STALE_AFTER
from graphile_worker.database.executor import Connection
from graphile_worker.database.schema import Schema
from graphile_worker.queries import admin_samples, overview
from graphile_worker.queries.admin_samples import Pulse
from graphile_worker.queries.overview import ActiveWorker

MOST_QUEUES: Final = 10_000
MOST_TASKS: Final = 10_000


async def read_figures(sessions: Sessions) -> Figures:
    """Count everything."""
    schema = sessions.schema
    async with sessions.reading(LONG_SECONDS) as connection:
        return Figures(
            registered=await _registered(connection, schema),
            locks=await connection.run(admin_samples.queue_locks(schema, limit=MOST_QUEUES)),
            known=await connection.run(admin_samples.known_tasks(schema, limit=MOST_TASKS)),
            groups=await connection.run(admin_samples.groups(schema)),
        )


async def read_registered(sessions: Sessions) -> list[ActiveWorker]:
    """The workers that send heartbeats; needs no look at jobs."""
    async with sessions.reading() as connection:
        return await _registered(connection, sessions.schema)


async def read_pulse(sessions: Sessions) -> Pulse:
    """Look at what is free to know."""
    return await sessions.read(admin_samples.pulse(sessions.schema))


async def _registered(connection: Connection, schema: Schema) -> list[ActiveWorker]:
    if not await connection.run(overview.has_registry(schema)):
        return []
    return await connection.run(overview.active_workers(schema, threshold=STALE_AFTER))
