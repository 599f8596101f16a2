"""A connection for what a worker does beside its jobs, which no handler can take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Final, TypeVar, cast

from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.statement import Statement

T = TypeVar("T")

_ANSWER_WITHIN: Final = 120.0
"""Seconds for one statement. A sweep may read a big table; but recurring jobs, which are made up
for within five minutes, must not wait behind it for ever."""


class ServiceDatabase:
    """Sweeps, recurring jobs and the look at the schema: one after the other, beside the pool.

    Each opens its connection and closes it, since they come about once a minute: so there is none
    that lies idle, and none that was lost in between. Since all others wait for it, a connection on
    which a statement is not answered is given up.

    Args:
        database: opens the connections.
        answer_within: seconds after which a server that does not answer counts as lost.
    """

    def __init__(self, database: Database, *, answer_within: float = _ANSWER_WITHIN) -> None:
        self._database = database
        self._answer_within = answer_within
        self._turn = asyncio.Lock()

    async def run(self, statement: Statement[T]) -> T:
        """Send one statement."""
        async with self._connection() as connection:
            return await connection.run(statement)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for a while; the next one who wants it waits meanwhile."""
        return self._connection()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        async with self._turn:
            connection = await self._database.dedicated("services")
            try:
                # It can do what services ask of a connection, not all of it.
                yield cast("Connection", _Watched(connection, self._answer_within))
            finally:
                await connection.aclose()


class _Watched:
    """Gives its connection up when a statement is not answered: that raises ConnectionLostError."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds

    async def run(self, statement: Statement[T]) -> T:
        with self._watch():
            return await self._connection.run(statement)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """As that of the connection; what is done inside between two statements takes its time."""
        block = self._connection.transaction()
        with self._watch():
            await block.__aenter__()
        try:
            yield
        except BaseException as error:
            with self._watch():
                await block.__aexit__(type(error), error, error.__traceback__)
            raise
        with self._watch():
            await block.__aexit__(None, None, None)

    @contextmanager
    def _watch(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        watchdog = loop.call_later(self._seconds, self._connection.abort)
        try:
            yield
        finally:
            watchdog.cancel()
