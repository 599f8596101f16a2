"""The events of recurring jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime

from graphile_worker.cron.crontab import Crontab
from graphile_worker.cron.scheduler import OnScheduled, OnTick
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.hooks.events import CronJobScheduled, CronTick


def tick_teller(hooks: Hooks) -> OnTick | None:
    """What a scheduler calls with every minute."""
    observers = hooks.cron_tick
    if observers is None:
        return None

    def tell(minute: datetime, crontabs: Sequence[Crontab]) -> Awaitable[None] | None:
        return observers(CronTick(timestamp=minute, crontabs=crontabs))

    return tell


def scheduled_teller(hooks: Hooks) -> OnScheduled | None:
    """What a scheduler calls with every job that it added."""
    observers = hooks.cron_job_scheduled
    if observers is None:
        return None

    def tell(crontab: Crontab, minute: datetime) -> Awaitable[None] | None:
        return observers(CronJobScheduled(crontab=crontab, scheduled_at=minute))

    return tell
