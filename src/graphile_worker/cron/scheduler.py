"""The loop that adds the jobs of a crontab."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias

from graphile_worker.cron.agenda import Agenda, Due, first_owed
from graphile_worker.cron.clock import Clock
from graphile_worker.cron.crontab import CronJobKeyMode, Crontab
from graphile_worker.cron.runs import MINUTE, next_minute, this_minute
from graphile_worker.database.executor import Executor
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.cron import CronJob, register_crontabs, schedule_crontabs
from graphile_worker.runtime.retry import Backoff

logger = logging.getLogger(__name__)

OnTick: TypeAlias = Callable[[datetime, Sequence[Crontab]], Awaitable[None] | None]
OnScheduled: TypeAlias = Callable[[Crontab, datetime], Awaitable[None] | None]


class Pauses(Protocol):
    """What is known, at any time, of pauses of entries."""

    def is_paused(self, identifier: str, /) -> bool:
        """Whether no job of this entry is to be added now."""
        ...

    def resumed_at(self, identifier: str, /) -> datetime | None:
        """When its last pause ended, if it ever had one."""
        ...


class NeverPaused:
    """Nobody pauses anything."""

    def is_paused(self, _identifier: str, /) -> bool:
        """Never."""
        return False

    def resumed_at(self, _identifier: str, /) -> datetime | None:
        """Never."""
        return None


_BREATH: Final = 200
"""Entries whose next runs are computed before other tasks of the event loop have a turn."""


class CronScheduler:
    """Adds the jobs of the entries, each exactly once, however many workers have the same ones.

    Every minute it asks what time it is and adds what is owed, oldest first: one statement for a
    minute, whatever the number of entries. So the first look, one after an outage or a suspend of
    the machine, and an ordinary one are the same. A statement whose answer was lost is sent again;
    what it had added then is not added twice.

    Args:
        crontabs: the entries, each with an identifier of its own.
        database: where the statements go.
        schema: where the tables are.
        clock: what time it is; by the database's, all workers agree about it.
        pauses: which entries are paused; the runs that fall into a pause are left out for good.
        on_tick: called with every minute that is looked at, and all entries: once for a minute,
            before its jobs are added.
        on_scheduled: called with an entry and its minute after this scheduler added the job, and
            so once among all workers.
    """

    def __init__(
        self,
        crontabs: Sequence[Crontab],
        database: Executor,
        schema: Schema,
        *,
        clock: Clock,
        pauses: Pauses | None = None,
        on_tick: OnTick | None = None,
        on_scheduled: OnScheduled | None = None,
    ) -> None:
        self._crontabs = crontabs
        self._database = database
        self._schema = schema
        self._clock = clock
        self._pauses = pauses or NeverPaused()
        self._on_tick = on_tick
        self._on_scheduled = on_scheduled
        self._backoff = Backoff(longest=timedelta(seconds=15))
        self._agenda: Agenda | None = None
        self._start: datetime | None = None
        self._ticked: datetime | None = None

    async def run(self) -> None:
        """Add jobs until cancelled, through any outage of the database.

        Cancel safety: at any await; a minute whose statement was under way is either scheduled
        whole or not at all, and left to the other workers and to the next start's `fill`.
        """
        delays = self._backoff.delays()
        while True:
            try:
                now = await self._look()
            except DatabaseError as error:
                delay = next(delays)
                logger.warning("cannot schedule jobs, trying again in %.1f s: %s", delay, error)
                await self._clock.sleep(delay)
            else:
                delays = self._backoff.delays()
                await self._clock.sleep_until(this_minute(now) + MINUTE)

    async def _look(self) -> datetime:
        """Add everything that is owed by now."""
        now = await self._clock.now()
        if self._agenda is None:
            self._agenda = await self._open_agenda(now)
        while (due := self._agenda.due(now)) is not None:
            await self._tick(due.minute)
            await self._schedule(due, now)
            self._agenda.done()
        if self._start is not None and this_minute(now) >= self._start:
            await self._tick(this_minute(now))
        return now

    async def _open_agenda(self, start: datetime) -> Agenda:
        """Make the entries known, and find out what those known before are owed."""
        identifiers = [crontab.identifier for crontab in self._crontabs]
        known = await self._database.run(register_crontabs(self._schema, identifiers, start))
        agenda = Agenda([])
        for number, crontab in enumerate(self._crontabs):
            if number % _BREATH == 0:
                await asyncio.sleep(0)
            resumed = self._pauses.resumed_at(crontab.identifier)
            owed = first_owed(crontab, known.get(crontab.identifier), start, resumed)
            agenda.add(crontab, owed)
        self._start = next_minute(start)
        logger.info("cron: %d entries, %d of them known before", len(identifiers), len(known))
        return agenda

    async def _tick(self, minute: datetime) -> None:
        """Tell of a minute; not of those before the start, nor of one again."""
        is_new = self._ticked is None or minute > self._ticked
        if self._on_tick is None or self._start is None or minute < self._start or not is_new:
            return
        self._ticked = minute
        await _call(self._on_tick(minute, self._crontabs))

    async def _schedule(self, due: Due, now: datetime) -> None:
        """Add the jobs of one minute, those that no other worker has added."""
        late = self._is_late(due.minute, now)
        is_paused = self._pauses.is_paused
        crontabs = [crontab for crontab in due.crontabs if not is_paused(crontab.identifier)]
        if not crontabs:
            return
        jobs = [_job(crontab, due.minute, late=late) for crontab in crontabs]
        added = await self._database.run(schedule_crontabs(self._schema, due.minute, jobs))
        logger.debug("cron: %s: %d of %d jobs added here", due.minute, len(added), len(jobs))
        if self._on_scheduled is None:
            return
        for crontab in _those(crontabs, set(added)):
            await _call(self._on_scheduled(crontab, due.minute))

    def _is_late(self, minute: datetime, now: datetime) -> bool:
        """Whether its jobs are not added in their own minute, or belong to before the start."""
        return minute < this_minute(now) or (self._start is not None and minute < self._start)


def _those(crontabs: Sequence[Crontab], identifiers: set[str]) -> Iterator[Crontab]:
    return (crontab for crontab in crontabs if crontab.identifier in identifiers)


def _job(crontab: Crontab, minute: datetime, *, late: bool) -> CronJob:
    return CronJob(
        identifier=crontab.identifier,
        task=crontab.task,
        payload=crontab.payload_at(minute, backfilled=late),
        queue=crontab.queue,
        max_attempts=crontab.max_attempts,
        job_key=crontab.job_key,
        preserve_run_at=crontab.job_key_mode is CronJobKeyMode.PRESERVE_RUN_AT,
        priority=crontab.priority,
        flags=crontab.flags,
    )


async def _call(answer: Awaitable[None] | None) -> None:
    """Wait for a callable that turned out to be a coroutine function."""
    if answer is not None:
        await answer
