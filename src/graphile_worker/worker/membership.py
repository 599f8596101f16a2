"""A worker's place among the workers, for one run."""

from __future__ import annotations

import json
import logging
import os
import socket
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.recovery.heartbeat import Beat, Heartbeat
from graphile_worker.recovery.identity import WorkerIdentity, new_worker_id
from graphile_worker.runtime.version import VERSION
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.engine import Engine
from graphile_worker.worker.settings import WorkerSettings
from graphile_worker.worker.steady_connection import SteadyConnection

logger = logging.getLogger(__name__)

_SETTINGS: Final = {"lock_timeout": "10s"}
"""A heartbeat waits for nobody but a sweep, which is quick."""


class Membership:
    """Registered and alive while its context is open; another worker from the moment it was swept.

    A worker that was taken for dead (it was stopped, its machine slept, its database was out of
    reach) holds nothing any more, and does not know since when. So it cuts its handlers off, stores
    what it still may, and goes on under a new id.
    """

    def __init__(
        self,
        options: WorkerSettings,
        identity: WorkerIdentity,
        direct: Database,
        engine: Engine,
        *,
        watches_queue: bool,
    ) -> None:
        self._identity = identity
        self._engine = engine
        self._swept = Wakeup()
        self.beats_in_thread = beats_in_thread(options)
        self._heartbeat = Heartbeat(
            SteadyConnection(direct, "heartbeat", settings=_SETTINGS),
            Schema(options.schema),
            identity,
            metadata=_metadata(options, watches_queue=watches_queue),
            interval=options.recovery_config().seconds_between_heartbeats,
            own_thread=self.beats_in_thread,
            on_swept=self._swept,
        )

    @property
    def last_beat(self) -> Beat | None:
        """The last heartbeat that arrived."""
        return self._heartbeat.last

    async def __aenter__(self) -> Self:
        if not self.beats_in_thread:
            logger.warning(
                "heartbeats share the event loop with the handlers, since the worker only has a "
                "pool that it was given: one that blocks it may get its worker taken for dead; "
                "give direct_database_url too"
            )
        await self._heartbeat.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What is still ours is found by others only while we are in the table.
        await self._heartbeat.stop(deregister=not self._engine.releaser.unreleased)

    async def run(self) -> None:
        """Become another worker whenever this one was swept; until cancelled."""
        while True:
            await self._swept.wait()
            old, new = self._identity.id, new_worker_id()
            logger.error(
                "worker %s was silent for too long, and its jobs were given to others; cutting "
                "their handlers off here",
                old,
            )
            async with self._engine.holding_nothing():
                await self._heartbeat.register(new)
                self._identity.id = new
            self._heartbeat.resume()
            logger.warning("worker %s goes on as %s", old, new)


def beats_in_thread(options: WorkerSettings) -> bool:
    """Whether heartbeats have a thread; connections of a caller's pool belong to its loop."""
    return options.database is None or options.direct_database_url is not None


def _metadata(options: WorkerSettings, *, watches_queue: bool) -> str:
    """What others may want to know about this worker, as JSON."""
    return json.dumps(
        {
            "kind": "python",
            "version": VERSION,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started_at": datetime.now(UTC).isoformat(),
            "tasks": sorted(options.registry()),
            "crons": [crontab.identifier for crontab in options.crontabs()],
            "concurrency": options.concurrency,
            "max_pg_conn": options.max_pg_conn if options.database is None else None,
            "most_connections": options.most_connections,
            "watches_queue": watches_queue,
        }
    )
