"""LISTEN, kept alive."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Final

from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.statement import Statement, nothing
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.pauses import CHANNEL as PAUSES
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.runtime.retry import Backoff
from graphile_worker.runtime.wakeup import Wakeup

logger = logging.getLogger(__name__)

CHANNEL: Final = "jobs:insert"
"""Shared by all schemas of a database, with the Node and Rust workers."""
MIGRATIONS: Final = "worker:migrate"
"""Whoever migrates a schema says so here."""
PROBES: Final = "graphile_worker:probe:"
"""Before a worker's id: what it says to itself there wakes nobody else."""

_HARMLESS: Final = re.compile(r'"breaking"\s*:\s*false')
"""In what is said there of most migrations."""

_COUNT: Final = re.compile(r'"count"\s*:\s*([0-9]{1,18})')
"""How many new jobs; older schemas do not say."""

_PROBE_EVERY: Final = 10.0
_PROBE_WITHIN: Final = 5.0
"""Seconds after which a notification to ourselves that did not come is a lost connection."""
_HOPELESS: Final = 60.0
"""Seconds until LISTEN is tried again where it does not work at all."""


class _NotDeliveredError(DatabaseError):
    """Statements are answered, notifications do not come."""


class Listener:
    """Turns notifications into wake-ups, on a connection of its own.

    Reconnects for ever. After each connect the worker looks for jobs: what was announced while
    nobody listened is not announced again. A link that died without a word looks like one on which
    nothing happens, so the worker sends itself a notification now and then.

    Collaborators: `on_migrated` hears that somebody applied a breaking migration, in whatever
    schema of this database; `on_announced` how many new jobs each notification tells of;
    `on_paused` that something was paused or resumed, in that schema, or in any (None).
    """

    def __init__(
        self,
        database: Database,
        identity: WorkerIdentity,
        wakeup: Wakeup,
        *,
        on_migrated: Callable[[], None],
        on_paused: Callable[[str | None], None],
        on_announced: Callable[[int], None] | None = None,
        probe_every: float = _PROBE_EVERY,
        probe_within: float = _PROBE_WITHIN,
    ) -> None:
        self._database = database
        self._identity = identity
        self._wakeup = wakeup
        self._on_migrated = on_migrated
        self._on_announced = on_announced
        self._on_paused = on_paused
        self._probe_every = probe_every
        self._probe_within = probe_within
        self._backoff = Backoff()
        self._delays = self._backoff.delays()
        self.is_listening = False
        """Whether the last notification to ourselves arrived."""

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            delay = await self._listen_until_lost()
            await asyncio.sleep(delay)

    async def _listen_until_lost(self) -> float:
        """Answers with the seconds until the next try."""
        try:
            connection = await self._database.dedicated("listen")
        except DatabaseError as error:
            delay = next(self._delays)
            logger.warning("cannot listen, trying again in %.1f s: %s", delay, error)
            return delay
        try:
            await self._listen(connection)
            logger.warning("the LISTEN connection was lost; polling until it is back")
        except _NotDeliveredError:
            logger.warning(
                "LISTEN does not work on this connection, so jobs are found by polling alone: name "
                "the server itself in direct_database_url where a pooler stands between"
            )
            return _HOPELESS
        except DatabaseError as error:
            logger.warning("LISTEN failed, polling until it is back: %s", error)
        finally:
            self.is_listening = False
            await connection.aclose()
        return next(self._delays)

    async def _listen(self, connection: Connection) -> None:
        """Listen until the connection is lost."""
        lost = asyncio.Event()
        connection.on_lost(lost.set)
        probe = _Probe(connection, PROBES + self._identity.id, self._probe_within)
        await connection.listen(CHANNEL, self._notified)
        await connection.listen(MIGRATIONS, self._migrated)
        await connection.listen(PAUSES, self._on_paused)
        await probe.listen()
        self._wakeup()
        self._on_paused(None)
        while not lost.is_set():
            await probe.send(lost)
            if not lost.is_set():
                self.is_listening = True
                self._delays = self._backoff.delays()
            try:
                async with asyncio.timeout(self._probe_every):
                    await lost.wait()
            except TimeoutError:
                continue

    def _notified(self, payload: str) -> None:
        """Take any text, from any program: only a negative count is no reason to look.

        `remove_job` sends -1.
        """
        if '"count":-' in payload:
            return
        if self._on_announced is not None:
            counted = _COUNT.search(payload)
            self._on_announced(1 if counted is None else int(counted[1]))
        self._wakeup()

    def _migrated(self, payload: str) -> None:
        # Whoever says something else there is looked at, too: it costs one query.
        if not _HARMLESS.search(payload):
            self._on_migrated()


class _Probe:
    """A notification that a worker sends to itself, on the connection that it listens on."""

    def __init__(self, connection: Connection, channel: str, within: float) -> None:
        self._connection = connection
        self._channel = channel
        self._within = within
        self._arrived = asyncio.Event()
        self._statement = Statement(
            "probe", "select pg_catalog.pg_notify($1::text, '')", (channel,), nothing
        )

    async def listen(self) -> None:
        """Be ready for it."""
        await self._connection.listen(self._channel, lambda _payload: self._arrived.set())

    async def send(self, lost: asyncio.Event) -> None:
        """Send it, and wait until it arrives, or until the connection is lost.

        Raises:
            ConnectionLostError: the server did not answer in time.
            _NotDeliveredError: it did, and the notification did not come.
        """
        self._arrived.clear()
        watchdog = asyncio.get_running_loop().call_later(self._within, self._connection.abort)
        try:
            await self._connection.run(self._statement)
        finally:
            watchdog.cancel()
        arrival = asyncio.ensure_future(self._arrived.wait())
        loss = asyncio.ensure_future(lost.wait())
        try:
            done, _ = await asyncio.wait(
                {arrival, loss}, timeout=self._within, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            arrival.cancel()
            loss.cancel()
        if not done:
            raise _NotDeliveredError("no notification came")
