"""Hearing of new jobs while somebody watches, so that pages show them at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from graphile_worker.admin.service.samples import Sampled
from graphile_worker.database.executor import Database
from graphile_worker.doctor.hearing import seconds_to_hear
from graphile_worker.errors import DatabaseError
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.notifications import Listener

logger = logging.getLogger(__name__)

_DEBOUNCE: Final = 0.25
"""Seconds from an announcement to the reading, which stands for all that come meanwhile."""
_LINGER: Final = 5.0
"""Seconds for which it goes on after the last one has left: who goes to another page is back."""
_HOPELESS: Final = 600.0
"""Seconds until LISTEN is tried again where notifications do not come."""
_WITHIN: Final = 5.0
"""Seconds within which a notification to ourselves has to come."""
_AWAY: Final = 5.0
"""Seconds until the database is tried again that could not be opened."""


class Announcements:
    """Listens while somebody watches, on one connection for all, and takes a reading when it hears.

    What is announced is no more than a reason to look: the channels belong to all schemas of the
    database. Readings keep to their share of a connection however much is announced. A connection
    that was lost is opened again. Where notifications do not come, as through a pooler in
    transaction mode, and where the connections are a caller's, of which none may be to spare, it is
    quiet, and pages follow by readings alone.

    Args:
        database: opens the database, or has it.
        reading: what is taken when something was heard.
        linger: seconds for which it goes on after the last one has left.
    """

    def __init__(
        self,
        database: Callable[[], Awaitable[Database]],
        reading: Sampled[Any],
        *,
        linger: float = _LINGER,
    ) -> None:
        self._database = database
        self._reading = reading
        self._linger = linger
        self._watchers = 0
        self._running: asyncio.Task[None] | None = None
        self._stopped: asyncio.Task[None] | None = None
        self._ending: asyncio.TimerHandle | None = None
        self.turn = 0
        """Changes with each reading that was taken because something was heard."""

    @property
    def is_on(self) -> bool:
        """Whether it listens, or tries to."""
        return self._running is not None and not self._running.done()

    @contextmanager
    def watched(self) -> Generator[None]:
        """Somebody watches meanwhile."""
        self._watchers += 1
        if self._ending is not None:
            self._ending.cancel()
        if not self.is_on:
            self._running = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers:
                loop = asyncio.get_running_loop()
                self._ending = loop.call_later(self._linger, self._stop)

    async def aclose(self) -> None:
        """Stop, whoever watches."""
        if self._ending is not None:
            self._ending.cancel()
        self._stop()
        if self._stopped is not None:
            await asyncio.wait([self._stopped])

    def _stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            self._stopped, self._running = self._running, None

    async def _run(self) -> None:
        database = await self._hearing()
        if database is None:
            return
        heard = Wakeup()
        listener = Listener(
            database,
            WorkerIdentity(),
            heard,
            on_migrated=heard,
            on_paused=lambda _schema: heard(),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(listener.run())
            group.create_task(self._read(heard))

    async def _hearing(self) -> Database | None:
        """The database, once notifications come from it; None where they shall not be asked for."""
        while True:
            try:
                database = await self._database()
                if not database.opens_connections:
                    return None
                if await seconds_to_hear(database, database, within=_WITHIN) is not None:
                    return database
            except DatabaseError:
                await asyncio.sleep(_AWAY)
                continue
            logger.info("notifications do not come, as through a pooler: open pages go without")
            await asyncio.sleep(_HOPELESS)

    async def _read(self, heard: Wakeup) -> None:
        while True:
            await heard.wait()
            await asyncio.sleep(max(_DEBOUNCE, self._reading.rest))
            await heard.wait(timeout=0)  # what came meanwhile is in the reading
            if not self._watchers:
                continue
            try:
                await self._reading.get(fresh=True)
            except DatabaseError:
                continue  # whoever watches learns it from the next reading
            self.turn += 1
