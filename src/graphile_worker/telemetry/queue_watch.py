"""Looks at the whole queue now and then, and warns of what needs somebody's attention."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from weakref import WeakKeyDictionary

from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.schema import Schema
from graphile_worker.errors import ConfigurationError, DatabaseError
from graphile_worker.hooks.events import WorkerInit, WorkerShutdown, WorkerStart
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.queries.watch_queue import (
    QueueReading,
    become_watcher,
    queue_reading,
    unserved_tasks,
    watcher_exists,
)
from graphile_worker.runtime.duration import Duration, duration
from graphile_worker.runtime.log_fields import log_fields

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look brought."""

    schema: str
    queue: QueueReading | None
    """None: another process watches the queue, or no connection was free to look."""
    unserved: tuple[str, ...] = ()
    """Tasks with jobs that no running worker knows."""
    pool_wait: float
    """Seconds that a connection of this worker's pool took to be had."""
    watched_here: bool = False
    """Whether a worker with this plugin watches the queue: this one, or another of the process."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What is worth a warning.

    Raises:
        ConfigurationError: a duration that is none, or not more than 0.
    """

    oldest_ready: Duration = timedelta(minutes=5)
    """Jobs have been due for so long: there are too few workers, or they are stuck."""
    oldest_transaction: Duration = timedelta(minutes=15)
    """A transaction is open for so long: deleted jobs pile up behind it, and claims slow down."""
    pool_wait: Duration = timedelta(seconds=5)
    """No connection is free for handlers for so long."""
    unserved: Duration = timedelta(minutes=1)
    """Jobs have been due for so long that no running worker knows."""

    def __post_init__(self) -> None:
        for name in ("oldest_ready", "oldest_transaction", "pool_wait", "unserved"):
            value = duration(name, getattr(self, name), positive=True)
            object.__setattr__(self, name, value)


class QueueWatch:
    """A plugin that looks at the queue every `interval`, while a worker runs.

    The look reads the whole table of jobs, so of all processes that would look, one does: it holds
    an advisory lock, on a connection of its own, besides `max_pg_conn`. When it ends, another one
    takes over within an interval. That connection leads to `direct_database_url`, where there is
    one. Without it, out of a caller's pool, or with `prepared_statements=False`, as behind a
    pooler, a connection is borrowed for each look: where none but such workers run, each of them
    looks. A warning is logged when something begins, and again when it is over.

    One object may serve several workers of a process, also of different schemas.

    Args:
        interval: between two looks, at least 0.1 s.
        thresholds: what is worth a warning.

    Raises:
        ConfigurationError: an interval that is too short.
    """

    def __init__(
        self,
        *,
        interval: Duration = timedelta(seconds=15),
        thresholds: Thresholds | None = None,
    ) -> None:
        self._interval = duration("interval", interval, positive=True).total_seconds()
        if self._interval < 0.1:  # noqa: PLR2004 (see above)
            raise ConfigurationError(f"interval must be at least 0.1 s, got {interval}")
        self.thresholds = thresholds or Thresholds()
        self._subscribers: list[Callable[[Seen], None]] = []
        # By database, of which each worker has its own: its id may change while it runs.
        self._schemas: WeakKeyDictionary[Database, Schema] = WeakKeyDictionary()
        self._watching: dict[Database, tuple[_Watcher, asyncio.Task[None]]] = {}

    def subscribe(self, subscriber: Callable[[Seen], None]) -> None:
        """Call back with what each look brings, on the event loop; what it raises is logged."""
        self._subscribers.append(subscriber)

    def register(self, hooks: HookRegistry) -> None:
        """Watch from the start of a run to its end."""
        hooks.watches_queue = True
        hooks.on(WorkerInit, self._remember)
        hooks.on(WorkerStart, self._begin)
        hooks.on(WorkerShutdown, self._end)

    def _remember(self, event: WorkerInit) -> None:
        self._schemas[event.database] = Schema(event.schema)

    def _begin(self, event: WorkerStart) -> None:
        database = event.database
        if database in self._watching:
            return  # registered twice: two plugins of this worker have the same watch
        schema = self._schemas[database]
        watcher = _Watcher(database, event.direct_database, schema, self.thresholds)
        self._watching[database] = watcher, asyncio.create_task(self._watch(watcher))

    async def _end(self, event: WorkerShutdown) -> None:
        if event.database not in self._watching:
            return
        _, task = self._watching.pop(event.database)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _watch(self, watcher: _Watcher) -> None:
        try:
            while True:
                try:
                    self._tell(watcher, await watcher.look())
                except (DatabaseError, OSError) as error:
                    log_fields(logger, logging.WARNING, "cannot look at the queue: %s", error)
                except Exception as error:  # noqa: BLE001 (or nobody would ever warn again)
                    text = "a look at the queue went wrong; the next one follows"
                    log_fields(logger, logging.ERROR, text, error=error)
                await asyncio.sleep(self._interval)
        finally:
            await watcher.aclose()

    def _tell(self, watcher: _Watcher, seen: Seen) -> None:
        watcher.warn(seen)
        seen = replace(seen, watched_here=self._is_watched_here(seen.schema))
        for subscriber in self._subscribers:
            try:
                subscriber(seen)
            except Exception as error:  # noqa: BLE001 (the program's own)
                text = "%r, which subscribed to the queue watch, failed"
                log_fields(logger, logging.ERROR, text, subscriber, error=error)

    def _is_watched_here(self, schema: str) -> bool:
        return any(
            watcher.watches and watcher.schema.name == schema
            for watcher, _ in self._watching.values()
        )


def problems(seen: Seen, thresholds: Thresholds) -> dict[str, str | None]:
    """What there is to warn of, by the name of the alert; None for what is well."""
    found: dict[str, str | None] = {"pool_exhausted": None}
    if seen.pool_wait >= _seconds(thresholds.pool_wait):
        found["pool_exhausted"] = (
            f"no connection for handlers was free for {seen.pool_wait:.1f} s; raise max_pg_conn, "
            "or hold connections for less time"
        )
    queue = seen.queue
    if queue is None:
        return found
    return found | {
        "old_ready_job": _if(
            queue.oldest_ready >= _seconds(thresholds.oldest_ready),
            f"{queue.ready} jobs are ready, the first since {queue.oldest_ready:.0f} s: there are "
            "too few workers, or they are stuck",
        ),
        "old_transaction": _if(
            queue.oldest_transaction >= _seconds(thresholds.oldest_transaction),
            f"a transaction is open for {queue.oldest_transaction:.0f} s and keeps vacuum from the "
            "rows of jobs that are done; see pg_stat_activity.backend_xmin",
        ),
        "unserved_tasks": _if(
            bool(seen.unserved),
            "jobs are due that no running worker knows: "
            + ", ".join(repr(identifier) for identifier in seen.unserved),
        ),
    }


class _Watcher:
    """One worker's looks at the queue, and its place as the one that does."""

    def __init__(
        self, database: Database, direct: Database, schema: Schema, thresholds: Thresholds
    ) -> None:
        self.schema = schema
        self.watches = False
        """Whether the last look that was answered brought how the queue stands."""
        self._database = database
        self._direct = direct
        self._thresholds = thresholds
        self._pool_patience = _seconds(thresholds.pool_wait)
        self._unserved_for = _seconds(thresholds.unserved)
        self._connection: Connection | None = None
        self._warned: set[str] = set()

    async def look(self) -> Seen:
        """Look at the own pool, and at the queue if nobody else does.

        Raises:
            DatabaseError: it is away.
        """
        pool_wait = await self._pool_wait()
        seen = Seen(schema=self.schema.name, queue=None, pool_wait=pool_wait)
        if pool_wait < self._pool_patience or self._connection is not None:
            async with self._as_watcher() as connection:
                if connection is not None:
                    seen = await self._seen(connection, pool_wait)
        self.watches = seen.queue is not None
        return seen

    async def _seen(self, connection: Connection, pool_wait: float) -> Seen:
        queue = await connection.run(queue_reading(self.schema))
        unserved = await connection.run(unserved_tasks(self.schema, due_for=self._unserved_for))
        return Seen(
            schema=self.schema.name, queue=queue, unserved=tuple(unserved), pool_wait=pool_wait
        )

    def warn(self, seen: Seen) -> None:
        """Log what has begun, and what is over."""
        for name, problem in problems(seen, self._thresholds).items():
            fields = {"alert": name, "schema": seen.schema}
            if problem is not None and name not in self._warned:
                self._warned.add(name)
                log_fields(logger, logging.WARNING, "%s", problem, fields=fields)
            elif problem is None and name in self._warned:
                self._warned.discard(name)
                over = name.replace("_", " ")
                log_fields(logger, logging.WARNING, "over: %s", over, fields=fields)

    async def aclose(self) -> None:
        """Let another one watch."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()

    async def _pool_wait(self) -> float:
        """Seconds until a connection can be had, cut off at what is worth a warning."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._pool_patience), self._database.connection():
                pass
        except TimeoutError:
            return max(self._pool_patience, time.monotonic() - started)
        return time.monotonic() - started

    @asynccontextmanager
    async def _as_watcher(self) -> AsyncGenerator[Connection | None]:
        """A connection to look on; None where another process watches."""
        if not self._direct.keeps_sessions:
            # The lock would keep a connection out of the caller's pool, maybe the last one. Behind
            # a pooler it would outlive this process, and nobody could watch.
            async with self._database.connection() as borrowed:
                watched = await borrowed.run(watcher_exists(self.schema))
                yield None if watched else borrowed
            return
        if self._connection is None and not await self._database.run(watcher_exists(self.schema)):
            await self._become_watcher()
        try:
            yield self._connection
        except DatabaseError:
            await self.aclose()
            raise

    async def _become_watcher(self) -> None:
        connection = await self._direct.dedicated("watch")
        try:
            elected = await connection.run(become_watcher(self.schema))
        except BaseException:
            await connection.aclose()
            raise
        if elected:
            self._connection = connection
        else:
            await connection.aclose()


def _if(holds: bool, problem: str) -> str | None:  # noqa: FBT001 (one condition)
    return problem if holds else None


def _seconds(value: Duration) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
