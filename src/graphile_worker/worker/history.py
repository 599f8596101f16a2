"""Writes history while a worker works: counts, attempts, and samples of the queue."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from graphile_worker.client.operations import history as operations
from graphile_worker.client.setup import Setup
from graphile_worker.database.executor import Database
from graphile_worker.database.operation import perform, perform_together
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError
from graphile_worker.history.options import HistoryConfig
from graphile_worker.history.tally import rows
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.queries.cron import now
from graphile_worker.queries.history import RunRow, add_rollup, add_runs, run_days
from graphile_worker.runtime.retry import Backoff
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.opened import Opened
from graphile_worker.worker.run_records import FULL, RunRecords
from graphile_worker.worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

STORE_RUNS_EVERY: Final = 1.0
"""Seconds that an attempt waits to be stored, at most, unless so many wait that they go at once."""
STORE_COUNTS_EVERY: Final = 10.0
"""Seconds between two flushes of what was counted."""
_FIRST_SAMPLE_AFTER: Final = 1.0
"""Seconds after the start: by then the worker has registered, and counts."""
_TIDY_EVERY: Final = 3600.0
_STORE_WITHIN: Final = 20.0
"""Seconds that storing may take, a wait for a connection included."""
_LAST_STORE_WITHIN: Final = 5.0
"""The same when the worker stops."""

_BACKOFF: Final = Backoff(first=timedelta(seconds=STORE_RUNS_EVERY), longest=timedelta(minutes=1))
_INCOMPLETE: Final = "history is incomplete"
_NO_ANSWER: Final = "%s: no answer within %g s"
_NO_TABLE: Final = "42P01"
_NO_DAY: Final = "23514"
"""There is no room for the attempts of a day."""


async def what_to_record(options: WorkerSettings, database: Database) -> HistoryConfig | None:
    """What the options ask for, or what was asked for when history was installed; None: nothing.

    Raises:
        DatabaseError: the tables were to be made, and could not.
    """
    schema = Schema(options.schema)
    if options.history is False:
        return None
    if options.history is None:
        return await perform(database, operations.config(schema))
    await perform_together(database, operations.install(Setup(schema=schema), options.history))
    return options.history


def recorder(
    opened: Opened, schema: Schema, hooks: HookRegistry
) -> AbstractAsyncContextManager[object]:
    """What is to be open while a worker runs, so that its history is written.

    Where there is nothing to record nothing listens to jobs.
    """
    if opened.history is None:
        return nullcontext()
    found = HistoryRecorder(opened.database, schema, opened.history)
    hooks.add_plugin(found)
    return found


class HistoryRecorder:
    """A plugin that keeps what became of jobs, and stores it now and then, in the background.

    It borrows a connection from the worker's pool for that. Jobs never wait for it: what cannot be
    stored waits here, as far as there is room, and is then left out, with a warning. A worker that
    is killed loses what it had not stored: counts of ten seconds, attempts of one.
    """

    def __init__(self, database: Database, schema: Schema, config: HistoryConfig) -> None:
        self._database = database
        self._schema = schema
        self._stopping = asyncio.Event()
        self._wakeup = Wakeup()
        self._records = RunRecords(config.run_log, on_full=self._wakeup)
        self._services: list[asyncio.Task[None]] = []
        self._counts_at = 0.0
        self._told_missed = 0

    def register(self, hooks: HookRegistry) -> None:
        """Hear of all that happens to jobs."""
        self._records.register(hooks)

    async def __aenter__(self) -> Self:
        """Begin to store."""
        self._stopping.clear()
        await self._logged("cannot ask for the time", self._set_clock())
        self._services = [
            asyncio.create_task(self._store_again(), name="history"),
            asyncio.create_task(self._look_every_minute(), name="samples"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Store what is left, if that can be done soon."""
        self._stopping.set()
        self._wakeup()
        storing, looking = self._services
        looking.cancel()
        done, _ = await asyncio.wait([storing], timeout=_LAST_STORE_WITHIN)
        storing.cancel()
        await asyncio.gather(storing, looking, return_exceptions=True)
        if done:
            last = self._store(counts=True)
            await self._logged(_INCOMPLETE, last, within=_LAST_STORE_WITHIN)
        else:
            logger.warning(_NO_ANSWER, _INCOMPLETE, _LAST_STORE_WITHIN)

    # -- what was heard ----------------------------------------------------------------------

    async def _store_again(self) -> None:
        self._counts_at = time.monotonic() + _jittered(STORE_COUNTS_EVERY)
        delays = _BACKOFF.delays()
        while not self._stopping.is_set() and not self._records.is_off:
            await self._wakeup.wait(STORE_RUNS_EVERY)
            counts = time.monotonic() >= self._counts_at
            if counts:
                self._counts_at = time.monotonic() + _jittered(STORE_COUNTS_EVERY)
            if await self._logged("cannot store history", self._store(counts=counts)):
                delays = _BACKOFF.delays()
            else:
                await self._pause(next(delays))

    async def _store(self, *, counts: bool) -> None:
        """Store attempts, and counts if asked.

        Raises:
            DatabaseError: what was not stored waits for the next time.
        """
        while runs := self._records.take_runs():
            try:
                await self._add_runs(runs)
            except BaseException:
                self._records.put_runs_back(runs)
                raise
            if len(runs) < FULL:
                break
        if counts and len(self._records.tally):
            await self._add_counts()
        self._report_missed()

    async def _add_runs(self, runs: list[RunRow]) -> None:
        statement = add_runs(self._schema, runs)
        try:
            await self._database.run(statement)
        except DatabaseError as error:
            if error.sqlstate != _NO_DAY:
                raise
            if not await self._tidy():
                raise  # somebody else is making room
            await self._add_where_there_is_room(runs)

    async def _add_where_there_is_room(self, runs: list[RunRow]) -> None:
        days = await self._database.run(run_days(self._schema))
        kept = [run for run in runs if run.finished_at.date() in days]
        if kept:
            await self._database.run(add_runs(self._schema, kept))
        # They ended while the database was away for days; tried again, they would keep all others.
        self._records.leave_out(len(runs) - len(kept))

    async def _add_counts(self) -> None:
        taken = self._records.tally.take()
        try:
            await self._database.run(add_rollup(self._schema, list(rows(taken))))
        except BaseException:
            self._records.tally.put_back(taken)
            raise

    def _report_missed(self) -> None:
        missed = self._records.missed
        if missed > self._told_missed:
            logger.warning(
                "history lacks %d runs: they came faster than they could be stored, or ended on a "
                "day that attempts are not kept of",
                missed - self._told_missed,
            )
            self._told_missed = missed

    # -- samples -----------------------------------------------------------------------------

    async def _look_every_minute(self) -> None:
        """Of all workers one takes the sample, and one an hour tidies up."""
        tidy_at = time.monotonic() + random.uniform(0, 60)  # noqa: S311 (jitter)
        await self._pause(_jittered(_FIRST_SAMPLE_AFTER))
        while not self._stopping.is_set() and not self._records.is_off:
            await self._logged("cannot take a sample", self._sample())
            await self._logged("cannot ask for the time", self._set_clock())
            if time.monotonic() >= tidy_at:
                tidy_at = time.monotonic() + _jittered(_TIDY_EVERY)
                await self._logged("cannot tidy history up", self._tidy())
            into_minute = self._records.database_time() % 60
            await self._pause(60 - into_minute + random.uniform(0, 3))  # noqa: S311 (jitter)

    async def _sample(self) -> None:
        await perform_together(self._database, operations.take_sample(self._schema))

    async def _tidy(self) -> bool:
        """Make room for the next days and delete what is old; False: somebody else is at it."""
        setup = Setup(schema=self._schema)
        return await perform_together(self._database, operations.prune(setup))

    async def _set_clock(self) -> None:
        sent = time.time()
        answer = await self._database.run(now())
        self._records.offset = answer.timestamp() - (sent + time.time()) / 2

    # -- whatever happens --------------------------------------------------------------------

    async def _logged(
        self, what: str, work: Awaitable[object], *, within: float = _STORE_WITHIN
    ) -> bool:
        """Do something that nobody depends on; whether it was done."""
        try:
            async with asyncio.timeout(within):
                await work
        except DatabaseError as error:
            if error.sqlstate == _NO_TABLE:
                self._turn_off()
            else:
                logger.warning("%s: %s", what, error)
            return False
        except TimeoutError:
            logger.warning(_NO_ANSWER, what, within)
            return False
        return True

    def _turn_off(self) -> None:
        if not self._records.is_off:
            logger.warning("history was uninstalled; this worker records no more")
            self._records.turn_off()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _jittered(seconds: float) -> float:
    """A fleet that was started together does not store together."""
    return seconds * random.uniform(0.8, 1.0)  # noqa: S311 (jitter)
