"""The worker's database, for handlers in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.statement import Statement

T = TypeVar("T")


class _InLoop:
    """Carries calls out on an event loop; the calling thread, which must be another, waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    @contextmanager
    def _open(self, context: AbstractAsyncContextManager[T]) -> Generator[T]:
        opened = self._wait(_entered(context))
        try:
            yield opened
        except BaseException as error:
            self._wait(_left(context, error))
            raise
        self._wait(_left(context, None))


class DatabaseInLoop(_InLoop):
    """A `SyncDatabase` that lends the connections of an async one; needs no other driver.

    Args:
        database: the worker's. It is not closed by this.
        loop: the one it belongs to.
    """

    def __init__(self, database: Database, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._database = database

    def run(self, statement: Statement[T]) -> T:
        """Send one statement."""
        return self._wait(self._database.run(statement))

    @contextmanager
    def connection(self) -> Generator[ConnectionInLoop]:
        """Borrow one connection for a while."""
        with self._open(self._database.connection()) as connection:
            yield ConnectionInLoop(connection, self._loop)

    def close(self) -> None:
        """Nothing: it is the worker's."""


class ConnectionInLoop(_InLoop):
    """A `SyncConnection` over an async one."""

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._connection = connection

    def run(self, statement: Statement[T]) -> T:
        """Send the statement."""
        return self._wait(self._connection.run(statement))

    def script(self, text: str) -> None:
        """Send several statements, without arguments, as one simple query."""
        self._wait(self._connection.script(text))

    @contextmanager
    def transaction(self, *, lent: bool = False) -> Generator[None]:
        """A READ COMMITTED transaction; see `Connection.transaction`."""
        with self._open(self._connection.transaction(lent=lent)):
            yield

    @property
    def raw(self) -> Any:
        """The driver's own connection, which is of use on the loop alone."""
        return self._connection.raw

    def close(self) -> None:
        """Close it for good."""
        self._wait(self._connection.aclose())


async def _entered(context: AbstractAsyncContextManager[T]) -> T:
    return await context.__aenter__()


async def _left(context: AbstractAsyncContextManager[Any], error: BaseException | None) -> None:
    """Leave a context as `async with` does; what it raises anew is the caller's own error."""
    if error is None:
        await context.__aexit__(None, None, None)
        return
    try:
        await context.__aexit__(type(error), error, error.__traceback__)
    except BaseException as raised:
        if raised is not error:
            raise
