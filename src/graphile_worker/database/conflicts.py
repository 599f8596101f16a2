"""Transactions that PostgreSQL has chosen to give way to others: done again, they succeed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from graphile_worker.database.executor import Executor, SyncExecutor
from graphile_worker.database.statement import Statement
from graphile_worker.errors import DatabaseError
from graphile_worker.runtime.retry import Backoff

T = TypeVar("T")

CONFLICTS: Final = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock: nothing remains of the transaction."""

MOST_TRIES: Final = 10
_BACKOFF: Final = Backoff(first=timedelta(milliseconds=10), longest=timedelta(seconds=1))


async def giving_way(attempt: Callable[[], Awaitable[T]]) -> T:
    """Make a transaction, and again after each conflict with others.

    Args:
        attempt: a whole transaction of ours.

    Raises:
        DatabaseError: another error, or still a conflict after ten tries.
    """
    for pause in _pauses():
        try:
            return await attempt()
        except DatabaseError as error:
            if error.sqlstate not in CONFLICTS:
                raise
        await asyncio.sleep(pause)
    return await attempt()


def giving_way_sync(attempt: Callable[[], T]) -> T:
    """`giving_way` without an event loop."""
    for pause in _pauses():
        try:
            return attempt()
        except DatabaseError as error:
            if error.sqlstate not in CONFLICTS:
                raise
        time.sleep(pause)
    return attempt()


class GivingWay:
    """Sends statements that are transactions of their own, again after each conflict."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def run(self, statement: Statement[T]) -> T:
        """Send a statement; see `giving_way`."""
        return await giving_way(partial(self._executor.run, statement))


class SyncGivingWay:
    """`GivingWay` without an event loop."""

    def __init__(self, executor: SyncExecutor) -> None:
        self._executor = executor

    def run(self, statement: Statement[T]) -> T:
        """Send a statement; see `giving_way`."""
        return giving_way_sync(partial(self._executor.run, statement))


def _pauses() -> Iterator[float]:
    return islice(_BACKOFF.delays(), MOST_TRIES - 1)
