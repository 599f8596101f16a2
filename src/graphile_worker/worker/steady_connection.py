"""A connection that one loop of the worker has for itself."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.statement import Statement, nothing
from graphile_worker.errors import ConnectionLostError

T = TypeVar("T")

HOT_PATH_SETTINGS: Final = {
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "lock_timeout": "100ms",
}
"""For statements that always want the index: planned once, whatever the statistics say. A claim
that waits for a lock is sent anew, and a release has another way when it would."""
LOCKED: Final = "55P03"
"""The SQLSTATE of a statement that waited for a lock for longer than that."""

_PATIENCE: Final = 5.0
"""Seconds after which a server that does not answer counts as lost."""
_LONGEST_PATIENCE: Final = 40.0
"""The same for one that turned out to be slow: each loss doubles the patience."""

_DISCARD_PLANS: Final = Statement("discard_plans", "discard plans", (), nothing)


class SteadyConnection:
    """A dedicated connection that is opened when needed, and anew after it was lost.

    For one user at a time. It does not retry: a statement whose connection is lost raises, since
    only the caller knows whether it may have been carried out.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        settings: dict[str, str] = HOT_PATH_SETTINGS,
    ) -> None:
        self._database = database
        self._name = name
        self._settings = settings
        self._patience = _PATIENCE
        self._connection: Connection | None = None
        self.opened = 0
        """How many times; a session that was lost and opened again is another one."""

    async def run(self, statement: Statement[T]) -> T:
        """Send a statement.

        Raises:
            ConnectionLostError: the connection is gone, or the server did not answer for too long.
        """
        connection = self._connection or await self.open()
        # Cheaper than a timeout around the call, which is a task's cancellation and its undoing.
        loop = asyncio.get_running_loop()
        watchdog = loop.call_later(self._patience, self._give_up, connection)
        try:
            answer = await connection.run(statement)
        except ConnectionLostError:
            await self.aclose()
            raise
        finally:
            watchdog.cancel()
        if self._patience > _PATIENCE:
            took = self._patience - (watchdog.when() - loop.time())
            if took < _PATIENCE:
                self._patience = _PATIENCE
        return answer

    def _give_up(self, connection: Connection) -> None:
        # A server that is only slow must not be given up again and again.
        self._patience = min(2 * self._patience, _LONGEST_PATIENCE)
        connection.abort()

    async def open(self) -> Connection:
        """Open it; for who knows that it will be needed.

        Raises:
            ConnectionLostError: the server cannot be reached, or did not answer for too long.
        """
        try:
            async with asyncio.timeout(self._patience):
                connection = await self._database.dedicated(self._name, settings=self._settings)
        except TimeoutError:
            patience = self._patience
            self._patience = min(2 * patience, _LONGEST_PATIENCE)
            raise ConnectionLostError(
                f"the database did not answer within {patience:.0f} s"
            ) from None
        self._connection = connection
        self.opened += 1
        return connection

    async def discard_plans(self) -> None:
        """Plan statements anew: a plan made while a table was empty is bad for a full one."""
        await self.run(_DISCARD_PLANS)

    async def aclose(self) -> None:
        """Close the connection, if there is one; it opens again when used again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()
