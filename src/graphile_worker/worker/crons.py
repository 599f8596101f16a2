"""The recurring jobs of a worker."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import UTC, datetime

from graphile_worker.cron.clock import DatabaseClock, LocalClock
from graphile_worker.cron.entries import doubts
from graphile_worker.cron.scheduler import CronScheduler
from graphile_worker.database.executor import Executor
from graphile_worker.database.schema import Schema
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.worker.service_events import scheduled_teller, tick_teller
from graphile_worker.worker.settings import WorkerSettings

logger = logging.getLogger(__name__)


def cron_scheduler(
    options: WorkerSettings,
    schema: Schema,
    database: Executor,
    tasks: Collection[str],
    hooks: Hooks,
) -> CronScheduler:
    """The scheduler of a worker's `crons`; what looks like a mistake in them is logged.

    A task that this worker does not know may be another's: deployments are split.
    """
    crontabs = options.crontabs()
    for crontab, doubt in doubts(crontabs, tasks, datetime.now(UTC)):
        logger.warning("cron entry %r: %s", crontab.identifier, doubt)
    clock = LocalClock() if options.use_local_time else DatabaseClock(database)
    return CronScheduler(
        crontabs,
        database,
        schema,
        clock=clock,
        on_tick=tick_teller(hooks),
        on_scheduled=scheduled_teller(hooks),
    )
