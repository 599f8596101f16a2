"""The workers that are known, also while the jobs cannot be counted."""

from __future__ import annotations

from functools import partial

from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.fleet import FleetMember, known_workers, members
from graphile_worker.admin.service.samples import Budget, Sampled
from graphile_worker.admin.service.sampling import read_registered
from graphile_worker.admin.service.sessions import Sessions
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.admin_jobs import Workers


class FleetReading:
    """Knows the workers by the figures, and by their heartbeats alone where there are none.

    All calls raise `DatabaseError` where neither can be had.

    Args:
        sessions: the database.
        figures: everything counted.
        budget: what reading heartbeats may take, together with other samples.

    Attributes:
        registered: the workers that send heartbeats; only taken while there are no figures.
    """

    def __init__(self, sessions: Sessions, figures: Sampled[Figures], budget: Budget) -> None:
        self._figures = figures
        self.registered = Sampled(partial(read_registered, sessions), every=10.0, budget=budget)

    async def members(self) -> list[FleetMember]:
        """All workers; without figures those that send heartbeats."""
        try:
            return (await self._figures.get()).value.fleet
        except DatabaseError:
            return members((await self.registered.get()).value, ())

    async def workers(self) -> Workers:
        """What the states of jobs depend on.

        Without figures nobody knows of workers that hold jobs and send no heartbeats, nor what
        those can run: then no job is called unclaimed.
        """
        try:
            return (await self._figures.get()).value.workers
        except DatabaseError:
            heard = members((await self.registered.get()).value, ())
            return Workers(dead=known_workers(heard).dead, claimed=None)
