"""Sweeps, again and again."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import replace
from typing import Final

from graphile_worker.database.executor import Lender
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.workers import reset_old_locks, server_times
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.recovery.sight import Sight
from graphile_worker.recovery.sweep import Sweep
from graphile_worker.recovery.sweep_events import SweepEvents
from graphile_worker.recovery.sweeping import sweep

logger = logging.getLogger(__name__)

_FIRST_RESET: Final = 60.0
_NEXT_RESETS: Final = (480.0, 600.0)
"""Seconds, as the Node.js workers do it."""


class Sweeper:
    """Looks for dead workers every `sweep_interval`, and for old locks every ten minutes.

    Owners that are not registered are looked for once in a `sweep_threshold` only: it reads the
    whole table. After the database was out of reach, or this machine asleep, it waits until those
    who are alive have had the time to say so.

    Args:
        database: lends a connection for each sweep.
        identity: who sweeps.
        how: the rules.
        events: who is asked and told.
    """

    def __init__(
        self,
        database: Lender,
        identity: WorkerIdentity,
        how: Sweep,
        events: SweepEvents,
    ) -> None:
        self._database = database
        self._identity = identity
        self._how = how
        self._events = events
        self._sight = Sight(
            threshold=how.config.threshold_seconds,
            heartbeat_interval=how.config.seconds_between_heartbeats,
        )
        self._is_waiting = self._has_looked = False
        now = time.monotonic()
        self._reset_at = now + random.uniform(0, _FIRST_RESET)  # noqa: S311 (jitter)
        self._full_look_at = now

    async def run(self) -> None:
        """Sweep until cancelled; a database that is away is logged, and asked again."""
        interval = self._how.config.seconds_between_sweeps
        due = time.monotonic()
        while True:
            is_due, wait = time.monotonic() >= due, 0.0
            try:
                wait = await self._seconds_to_wait()
                if is_due and not wait:
                    await self._look()
            except DatabaseError as error:
                logger.warning("could not look for dead workers: %s", error)
            if is_due and not wait:
                # A fleet that was started together does not sweep together.
                due = time.monotonic() + interval * random.uniform(0.9, 1.0)  # noqa: S311 (jitter)
            await asyncio.sleep(self._sight.pause(wait or due - time.monotonic()))

    async def _seconds_to_wait(self) -> float:
        """How long to wait before the next sweep, since nobody could be heard."""
        now, started = await self._database.run(server_times(self._how.schema))
        wait = self._sight.seconds_to_wait(now, started)
        if wait and not self._is_waiting:
            # Whoever starts a worker on a new server has nobody to recover yet.
            logger.log(
                logging.INFO if self._has_looked else logging.DEBUG,
                "looking for dead workers in %.0f s: the database was out of reach, or has just "
                "been started, so those who are alive may not have been able to say so",
                wait,
            )
        self._is_waiting = wait > 0
        return wait

    async def _look(self) -> None:
        self._has_looked = True
        now = time.monotonic()
        full = now >= self._full_look_at
        how = replace(self._how, sweeper_id=self._identity.id, look_for_unregistered=full)
        await sweep(self._database, how, self._events)
        if full:
            self._full_look_at = now + how.config.threshold_seconds
        if now >= self._reset_at:
            await self._reset_old_locks()
            self._reset_at = now + random.uniform(*_NEXT_RESETS)  # noqa: S311 (jitter)

    async def _reset_old_locks(self) -> None:
        threshold = self._how.config.threshold_seconds
        freed = await self._database.run(reset_old_locks(self._how.schema, threshold=threshold))
        if freed:
            logger.warning("freed jobs that were locked for more than four hours: %s", freed)
