"""LISTEN, kept alive."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from graphile_worker.database.executor import Connection, Database
from graphile_worker.errors import DatabaseError
from graphile_worker.runtime.retry import Backoff
from graphile_worker.runtime.wakeup import Wakeup

logger = logging.getLogger(__name__)

CHANNEL: Final = "jobs:insert"
"""Shared by all schemas of a database, with the Node and Rust workers."""


class Listener:
    """Turns notifications into wake-ups, on a connection of its own.

    Reconnects for ever. After each connect the worker looks for jobs: what was announced while
    nobody listened is not announced again.
    """

    def __init__(self, database: Database, wakeup: Wakeup) -> None:
        self._database = database
        self._wakeup = wakeup
        self._backoff = Backoff()

    async def run(self) -> None:
        """Listen until cancelled."""
        delays = self._backoff.delays()
        while True:
            try:
                connection = await self._database.dedicated("listen")
            except DatabaseError as error:
                delay = next(delays)
                logger.warning("cannot listen, trying again in %.1f s: %s", delay, error)
                await asyncio.sleep(delay)
                continue
            try:
                await self._listen(connection)
                logger.warning("the LISTEN connection was lost; polling until it is back")
            except DatabaseError as error:
                logger.warning("LISTEN failed, polling until it is back: %s", error)
            else:
                delays = self._backoff.delays()
            finally:
                await connection.aclose()
            await asyncio.sleep(next(delays))

    async def _listen(self, connection: Connection) -> None:
        """Listen until the connection is lost."""
        lost = asyncio.Event()
        connection.on_lost(lost.set)
        await connection.listen(CHANNEL, self._notified)
        self._wakeup()
        await lost.wait()

    def _notified(self, payload: str) -> None:
        """Take any text, from any program: only a negative count is no reason to look.

        `remove_job` sends -1.
        """
        if '"count":-' not in payload:
            self._wakeup()
