"""Taking the samples that all viewers share."""

from __future__ import annotations

from typing import Final

from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.sessions import LONG_SECONDS, Sessions
from graphile_worker.client.operations.looking import STALE_AFTER
from graphile_worker.queries import admin_samples, overview
from graphile_worker.queries.admin_samples import Pulse
from graphile_worker.queries.overview import ActiveWorker

MOST_QUEUES: Final = 10_000
MOST_TASKS: Final = 10_000


async def read_figures(sessions: Sessions) -> Figures:
    """Count everything."""
    schema = sessions.schema
    async with sessions.reading(LONG_SECONDS) as connection:
        registered: list[ActiveWorker] = []
        if await connection.run(overview.has_registry(schema)):
            statement = overview.active_workers(schema, threshold=STALE_AFTER)
            registered = await connection.run(statement)
        return Figures(
            registered=registered,
            locks=await connection.run(admin_samples.queue_locks(schema, limit=MOST_QUEUES)),
            known=await connection.run(admin_samples.known_tasks(schema, limit=MOST_TASKS)),
            groups=await connection.run(admin_samples.groups(schema)),
        )


async def read_pulse(sessions: Sessions) -> Pulse:
    """Look at what is free to know."""
    return await sessions.read(admin_samples.pulse(sessions.schema))
