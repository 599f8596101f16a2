"""The recurring jobs of a worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final, TypeVar

from graphile_worker.cron.clock import DatabaseClock, LocalClock
from graphile_worker.cron.entries import doubts
from graphile_worker.cron.scheduler import CronScheduler, Pauses
from graphile_worker.database.executor import Executor
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.errors import ConnectionLostError
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.worker.service_events import scheduled_teller, tick_teller
from graphile_worker.worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

_ANSWER_WITHIN: Final = 60.0
"""Seconds; ten thousand entries of one minute take less than one."""


def cron_scheduler(
    options: WorkerSettings,
    schema: Schema,
    database: Executor,
    tasks: Collection[str],
    hooks: Hooks,
    *,
    pauses: Pauses | None = None,
    answer_within: float = _ANSWER_WITHIN,
) -> CronScheduler:
    """The scheduler of a worker's `crons`; what looks like a mistake in them is logged.

    A task that this worker does not know may be another's: deployments are split.

    Args:
        options: of the worker.
        schema: where the tables are.
        database: for one statement after the other.
        tasks: the identifiers of the tasks that it knows.
        hooks: who wants to hear of minutes and of jobs.
        pauses: which entries are paused.
        answer_within: seconds after which a server that does not answer counts as lost.
    """
    crontabs = options.crontabs()
    for crontab, doubt in doubts(crontabs, tasks, datetime.now(UTC)):
        logger.warning("cron entry %r: %s", crontab.identifier, doubt)
    patient = _Deadline(database, answer_within)
    clock = LocalClock() if options.use_local_time else DatabaseClock(patient)
    return CronScheduler(
        crontabs,
        patient,
        schema,
        clock=clock,
        pauses=pauses,
        on_tick=tick_teller(hooks),
        on_scheduled=scheduled_teller(hooks),
    )


async def schedule_crons(
    options: WorkerSettings, schema: Schema, database: Executor, hooks: Hooks, pauses: Pauses
) -> None:
    """Add the recurring jobs of a worker until cancelled; at once done where it has none."""
    if options.crons:
        tasks = options.registry()
        await cron_scheduler(options, schema, database, tasks, hooks, pauses=pauses).run()


class _Deadline:
    """Takes a server that does not answer for lost: it would be waited for for ever."""

    def __init__(self, database: Executor, seconds: float) -> None:
        self._database = database
        self._seconds = seconds

    async def run(self, statement: Statement[T]) -> T:
        """Send a statement."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._database.run(statement)
        except TimeoutError:
            raise ConnectionLostError(
                f"the database did not answer within {self._seconds:g} s"
            ) from None
