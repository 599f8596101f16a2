"""A handler's writes and the completion of its job, committed together."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from graphile_worker.database.executor import Connection
from graphile_worker.database.statement import Statement
from graphile_worker.errors import ConfigurationError

T = TypeVar("T")


class JobTransaction:
    """Where a run stands with its one transaction."""

    __slots__ = ("is_committed",)

    def __init__(self) -> None:
        self.is_committed = False


class InTransaction:
    """A connection in the midst of a handler's transaction, as a database for `ctx.add_job`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def run(self, statement: Statement[T]) -> T:
        """Send the statement, in that transaction."""
        return await self._connection.run(statement)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Any]:
        """The same connection; a transaction in it is a savepoint."""
        yield self

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """A savepoint."""
        savepoint: AbstractAsyncContextManager[Any] = self._connection.raw.transaction()
        return savepoint

    async def dedicated(self, name: str, *, settings: dict[str, str] | None = None) -> Connection:  # noqa: ARG002 (the port's signature)
        """Not here."""
        raise ConfigurationError(f"no connection for {name!r} inside a transaction")

    async def aclose(self) -> None:
        """Do nothing: it ends with the transaction."""
