"""Statements that are sent until the database has answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from graphile_worker.database.statement import Statement
from graphile_worker.errors import DatabaseError
from graphile_worker.runtime.retry import Backoff
from graphile_worker.worker.steady_connection import LOCKED, SteadyConnection

logger = logging.getLogger(__name__)

T = TypeVar("T")


def is_refusal(error: DatabaseError) -> bool:
    """Whether the values themselves are at fault (SQLSTATE class 22 or 23)."""
    return error.sqlstate is not None and error.sqlstate[:2] in {"22", "23"}


class StubbornConnection:
    """A connection for statements that may be carried out more than once, and must be once.

    Args:
        connection: which opens again by itself.
        what: what cannot be done while there is no answer, for the log.
    """

    def __init__(self, connection: SteadyConnection, what: Callable[[], str]) -> None:
        self._connection = connection
        self._what = what

    async def run(
        self,
        statement: Statement[T],
        *,
        if_locked: T | None = None,
        refuses: Callable[[DatabaseError], bool] = is_refusal,
    ) -> tuple[T, bool]:
        """Send a statement until it is answered.

        Args:
            statement: the statement.
            if_locked: counts as the answer when another session has a row locked (55P03), which
                means that nothing was done. Without it, the statement is sent again.
            refuses: tells the errors against which sending it again cannot help.

        Returns:
            The answer, and whether an earlier try may have been carried out without answering.

        Raises:
            DatabaseError: one of those.
        """
        ambiguous = False
        delays = Backoff().delays()
        while True:
            try:
                return await self._connection.run(statement), ambiguous
            except DatabaseError as error:
                if error.sqlstate == LOCKED and if_locked is not None:
                    return if_locked, ambiguous
                if refuses(error):
                    raise
                ambiguous = True
                delay = next(delays)
                logger.warning("cannot %s, trying again in %.1f s: %s", self._what(), delay, error)
                await asyncio.sleep(delay)
