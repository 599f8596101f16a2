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


async def until_answered(
    connection: SteadyConnection,
    statement: Statement[T],
    *,
    what: Callable[[], str],
    waits_for_locks: bool = True,
) -> tuple[T, bool]:
    """Send a statement until it is answered.

    Args:
        connection: whose.
        statement: one that may be carried out more than once.
        what: what cannot be done while there is no answer, for the log.
        waits_for_locks: whether it is sent again when another session has a row locked.

    Returns:
        The answer, and whether an earlier try may have been carried out without answering.

    Raises:
        DatabaseError: the values were refused (SQLSTATE class 22 or 23), or another session has a
            row locked (55P03) that is not waited for.
    """
    ambiguous = False
    delays = Backoff().delays()
    while True:
        try:
            return await connection.run(statement), ambiguous
        except DatabaseError as error:
            if _is_refusal(error) or (error.sqlstate == LOCKED and not waits_for_locks):
                raise
            ambiguous = True
            delay = next(delays)
            logger.warning("cannot %s, trying again in %.1f s: %s", what(), delay, error)
            await asyncio.sleep(delay)


def _is_refusal(error: DatabaseError) -> bool:
    """The values themselves are at fault: sending them again cannot help."""
    return error.sqlstate is not None and error.sqlstate[:2] in {"22", "23"}
