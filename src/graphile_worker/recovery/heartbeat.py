"""Saying that a worker is alive, whatever its handlers do to its event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from graphile_worker.database.executor import Executor
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.workers import deregister_worker, heartbeat, register_worker
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.runtime.retry import Backoff
from graphile_worker.runtime.wakeup import Wakeup

logger = logging.getLogger(__name__)

T = TypeVar("T")

_GOODBYE_WITHIN: Final = 3.0
"""Seconds that taking leave may take, with the database away."""
_LOOP_ENDS_WITHIN: Final = 1.0
"""Seconds that are waited for the thread, which has nothing left to do."""


class OwnConnection(Executor, Protocol):
    """A connection for the heartbeat alone, opened and closed on whatever loop uses it."""

    async def aclose(self) -> None:
        """Close it."""
        ...


@dataclass(frozen=True, slots=True)
class Beat:
    """The last heartbeat that arrived: when, by the clocks of the database and of this process."""

    database_time: datetime
    monotonic: float

    def database_now(self) -> datetime:
        """The database's time now, as far as can be told without asking."""
        return self.database_time + timedelta(seconds=time.monotonic() - self.monotonic)


class Heartbeat:
    """Keeps a worker in the table of workers while it runs.

    Owns a thread with an event loop (unless told to use the caller's) and closes the connection it
    is given. Whatever goes wrong is logged and tried again; only the first registration raises.

    Args:
        connection: used for nothing else.
        schema: where the tables are.
        identity: whose heart this is; read for each beat.
        metadata: JSON of what others should know about the worker.
        interval: seconds between two beats.
        own_thread: False beats on the caller's loop, and misses beats when that is blocked.
        on_swept: called on the caller's loop when somebody took this worker for dead. No beats
            follow until `register` is called with the next identity.
    """

    def __init__(
        self,
        connection: OwnConnection,
        schema: Schema,
        identity: WorkerIdentity,
        *,
        metadata: str,
        interval: float,
        own_thread: bool,
        on_swept: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._identity = identity
        self._metadata = metadata
        self._interval = interval
        self._own_thread = own_thread
        self._on_swept = on_swept
        self._beating: asyncio.Task[None] | None = None
        self.last: Beat | None = None
        """Read from any thread."""

    async def start(self) -> None:
        """Register, and beat from then on.

        Raises:
            DatabaseError: the worker could not be registered.
        """
        self._callers = self._loop = asyncio.get_running_loop()
        if self._own_thread:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="graphile-worker-heartbeat", daemon=True
            )
            self._thread.start()
        try:
            await self._call(self._register(self._identity.id))
        except BaseException:
            await self._end(self._connection.aclose())
            raise
        await self._call(self._begin())

    async def register(self, worker_id: str) -> None:
        """After it was swept: register the worker anew, through any outage, and beat again."""
        delays = Backoff().delays()
        while True:
            try:
                return await self._call(self._register(worker_id))
            except DatabaseError as error:
                delay = next(delays)
                logger.warning("cannot register, trying again in %.1f s: %s", delay, error)
                await asyncio.sleep(delay)

    def resume(self) -> None:
        """Beat again, under the identity as it is now."""
        self._loop.call_soon_threadsafe(self._resume)

    async def stop(self, *, deregister: bool) -> None:
        """Beat no more; bounded, whatever the database does.

        Args:
            deregister: False when the worker still holds jobs, which others are to recover.
        """
        await self._end(self._leave(deregister=deregister))

    # From here on, on the loop that beats.

    async def _begin(self) -> None:
        self._wakeup = Wakeup()
        self._beating = asyncio.get_running_loop().create_task(self._beat_for_ever())

    def _resume(self) -> None:
        self._wakeup()

    async def _register(self, worker_id: str) -> None:
        self._took(
            await self._connection.run(register_worker(self._schema, worker_id, self._metadata))
        )

    async def _beat_for_ever(self) -> None:
        backoff = Backoff(longest=timedelta(seconds=min(5.0, self._interval)))
        delays = backoff.delays()
        pause = self._interval
        while True:
            await asyncio.sleep(pause)
            try:
                alive = await self._connection.run(heartbeat(self._schema, self._identity.id))
            except Exception as error:
                pause = next(delays)
                logger.warning(
                    "no heartbeat, trying again in %.1f s: %s",
                    pause,
                    error,
                    exc_info=None if isinstance(error, DatabaseError) else error,
                )
                continue
            delays, pause = backoff.delays(), self._interval
            if alive is None:
                self._callers.call_soon_threadsafe(self._on_swept)
                await self._wakeup.wait()
            else:
                self._took(alive)

    def _took(self, database_time: datetime | None) -> None:
        if database_time is not None:
            self.last = Beat(database_time, time.monotonic())

    async def _leave(self, *, deregister: bool) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        try:
            async with asyncio.timeout(_GOODBYE_WITHIN):
                if deregister:
                    await self._connection.run(deregister_worker(self._schema, self._identity.id))
        except (DatabaseError, TimeoutError) as error:
            logger.warning("could not deregister the worker %s: %s", self._identity, error)
        finally:
            await self._connection.aclose()

    # And these on the caller's.

    async def _call(self, call: Coroutine[Any, Any, T]) -> T:
        if not self._own_thread:
            return await call
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self._loop))

    async def _end(self, last: Coroutine[Any, Any, None]) -> None:
        try:
            await self._call(last)
        finally:
            if self._own_thread:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(_LOOP_ENDS_WITHIN)
                self._loop.close()
