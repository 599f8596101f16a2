"""When the plans of a connection are made anew."""

from __future__ import annotations

import time
from typing import Final

from graphile_worker.worker.steady_connection import SteadyConnection

_SLOW: Final = 0.010
"""Seconds after which a claim is suspected of an old plan."""
_IDLE: Final = 1.0
"""Seconds without a claim after which the tables may have changed enough for another plan."""


class Plans:
    """Has claims planned anew after a pause, and at most once a second while they are slow.

    A plan that was made for an empty table picks any index, and stays bad when the table fills.
    """

    def __init__(self, connection: SteadyConnection) -> None:
        self._connection = connection
        self._slow = False
        self._last_claim = self._planned = time.monotonic()

    async def renew_if_old(self) -> None:
        """To be called before a claim.

        Raises:
            DatabaseError: the connection is lost.
        """
        now = time.monotonic()
        if now - (self._planned if self._slow else self._last_claim) > _IDLE:
            await self._connection.discard_plans()
            self._planned = time.monotonic()

    def claimed(self, started: float) -> float:
        """A claim that was sent at `started` is answered; returns the time of the answer."""
        self._last_claim = now = time.monotonic()
        self._slow = now - started > _SLOW
        return now
