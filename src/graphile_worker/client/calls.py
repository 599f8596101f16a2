"""How the calls of a client reach PostgreSQL: over a pool, or over a connection of the caller's."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Self, TypeVar

from graphile_worker.client.binding import SyncTarget, Target
from graphile_worker.client.operations.adding import ANALYZE_FROM, refresh_statistics
from graphile_worker.client.setup import Setup
from graphile_worker.database.conflicts import (
    GivingWay,
    SyncGivingWay,
    giving_way,
    giving_way_sync,
)
from graphile_worker.database.executor import Database, SyncDatabase
from graphile_worker.database.operation import (
    Operation,
    perform,
    perform_sync,
    perform_together,
    perform_together_sync,
)
from graphile_worker.errors import ConfigurationError

T = TypeVar("T")


class Calls:
    """What the parts of `WorkerUtils` stand on."""

    def __init__(self, setup: Setup, target: Target) -> None:
        self._setup = setup
        self._target = target
        self._is_bound = target.database is None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def schema(self) -> str:
        """The name of the schema."""
        return self._setup.schema.name

    def _bound_to(self, target: Target) -> Self:
        """The same, over something of the caller's."""
        other = copy.copy(self)
        other._target = target  # noqa: SLF001 (it is one of us)
        other._is_bound = True  # noqa: SLF001
        other._loop = None  # noqa: SLF001
        return other

    async def _run(self, operation: Operation[T]) -> T:
        """Carry an operation out; on a pool, each of its statements is a transaction."""
        self._check_loop()
        database = self._target.database
        return await perform(GivingWay(database) if database else self._target.executor, operation)

    async def _run_together(self, operation: Callable[[], Operation[T]]) -> T:
        """Carry an operation out in one transaction: a new one, or the caller's.

        After a conflict with others, which ends a transaction, it is made and carried out again;
        in the caller's that is the caller's affair.
        """
        self._check_loop()
        database = self._target.database
        if database is None:
            return await perform(self._target.executor, operation())
        return await giving_way(lambda: perform_together(database, operation()))

    async def _refresh_statistics(self, added: int) -> None:
        """Not on a connection of the caller's, whose transaction may be rolled back."""
        if added >= ANALYZE_FROM and not self._is_bound:
            await self._run(refresh_statistics(self._setup))

    def _check_loop(self) -> None:
        """Connections belong to the event loop they were opened in: in others they fail or hang."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigurationError(
                "this WorkerUtils was used in another event loop before; its connections belong to "
                "that one: open one in each loop, or use SyncWorkerUtils in threads"
            )

    def _own_database(self, call: str) -> Database:
        """For calls that make their own transactions.

        Raises:
            ConfigurationError: these utils are bound to something of the caller's.
        """
        if self._is_bound or self._target.database is None:
            raise _bound(call)
        return self._target.database


class SyncCalls:
    """What the parts of `SyncWorkerUtils` stand on; it changes nothing, so any thread may call."""

    def __init__(self, setup: Setup, target: SyncTarget) -> None:
        self._setup = setup
        self._target = target
        self._is_bound = target.database is None

    @property
    def schema(self) -> str:
        """The name of the schema."""
        return self._setup.schema.name

    def _bound_to(self, target: SyncTarget) -> Self:
        """The same, over something of the caller's."""
        other = copy.copy(self)
        other._target = target  # noqa: SLF001 (it is one of us)
        other._is_bound = True  # noqa: SLF001
        return other

    def _run(self, operation: Operation[T]) -> T:
        """See `Calls._run`."""
        database = self._target.database
        return perform_sync(
            SyncGivingWay(database) if database else self._target.executor, operation
        )

    def _run_together(self, operation: Callable[[], Operation[T]]) -> T:
        """See `Calls._run_together`."""
        database = self._target.database
        if database is None:
            return perform_sync(self._target.executor, operation())
        return giving_way_sync(lambda: perform_together_sync(database, operation()))

    def _refresh_statistics(self, added: int) -> None:
        """See `Calls._refresh_statistics`."""
        if added >= ANALYZE_FROM and not self._is_bound:
            self._run(refresh_statistics(self._setup))

    def _own_database(self, call: str) -> SyncDatabase:
        """See `Calls._own_database`."""
        if self._is_bound or self._target.database is None:
            raise _bound(call)
        return self._target.database


def _bound(call: str) -> ConfigurationError:
    return ConfigurationError(
        f"{call} makes transactions of its own, which it cannot do on a connection that is the "
        "caller's: call it on utils that were connected by URL, or over a pool"
    )
