"""A pool of asyncpg connections, as the port's `Database`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import asyncpg

from graphile_worker.database.statement import Statement
from graphile_worker.drivers import settings as session
from graphile_worker.drivers.asyncpg_connection import (
    AsyncpgConnection,
    Borrowed,
    PinnedConnection,
    Pool,
    drop,
    give_back,
)
from graphile_worker.drivers.asyncpg_errors import DRIVER_ERRORS, ours
from graphile_worker.drivers.opening import Opener, Raw
from graphile_worker.drivers.process import forked
from graphile_worker.drivers.sqlstate import READ_ONLY
from graphile_worker.errors import ConnectionLostError, DatabaseError

T = TypeVar("T")

CLOSE_SECONDS = 5.0
"""How long closing waits for connections that are still in use."""
ACQUIRE_SECONDS = 30.0
"""How long to wait for a free connection: for ever would hide a pool that waits for itself."""


class AsyncpgDatabase:
    """Connections to one database, of ours or out of a caller's pool.

    Out of a caller's pool, sessions are set up as the caller likes: our transactions set what
    they need for themselves, single statements run under the caller's settings.
    """

    def __init__(self, pool: Pool, opener: Opener | None = None) -> None:
        self._pool = pool
        self._opener = opener
        self._process = os.getpid()
        self._preamble = None if self.keeps_sessions else session.local()
        self._lent_preamble: str | None = None
        self._lent_lock = asyncio.Lock()

    @classmethod
    def over_pool(cls, pool: Pool) -> AsyncpgDatabase:
        """Over a pool that the caller owns and closes."""
        return cls(pool)

    @classmethod
    async def open(cls, opener: Opener, max_connections: int) -> AsyncpgDatabase:
        """Make the pool and its first connection, so that what is wrong is known at once."""
        open_one = opener.open

        async def connect(*_args: Any, **_kwargs: Any) -> Raw:
            return await open_one()

        pool: Pool = await asyncpg.create_pool(
            min_size=0,
            max_size=max_connections,
            connect=connect,
            reset=_nothing_to_reset,
        )
        database = cls(pool, opener)
        try:
            async with database._borrowed():
                pass
        except BaseException:
            pool.terminate()
            raise
        open_one = opener.reopen
        return database

    async def run(self, statement: Statement[T]) -> T:
        """Borrow a connection for one statement."""
        async with self._borrowed() as raw:
            try:
                rows = await raw.fetch(statement.text, *statement.args)
            except DRIVER_ERRORS as error:
                raise ours(error) from error
        return statement.decode(rows)

    def connection(self) -> AbstractAsyncContextManager[AsyncpgConnection]:
        """Borrow one connection for a while."""
        return self._connection()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncpgConnection]:
        async with self._borrowed() as raw:
            yield AsyncpgConnection(
                raw, preamble=self._preamble, lent_preamble=self._read_lent_preamble
            )

    @property
    def opens_connections(self) -> bool:
        """See `Database`."""
        return self._opener is not None

    @property
    def keeps_sessions(self) -> bool:
        """See `Database`."""
        return self._opener is not None and self._opener.prepared_statements

    async def dedicated(
        self, name: str, *, settings: Mapping[str, str] | None = None
    ) -> AsyncpgConnection:
        """Open a connection outside the pool, in whatever event loop this is called.

        Out of a caller's pool one is taken for as long as it is open; `settings` and `name` do
        not apply to it.
        """
        if self._opener is None:
            raw = await self._acquire()
            return PinnedConnection(
                raw, partial(give_back, self._pool, raw), preamble=self._preamble or ""
            )
        if self._process != os.getpid():
            raise forked(self._process)
        opened = await self._opener.reopen(name, settings=settings or {})
        return AsyncpgConnection(opened, preamble=self._preamble)

    async def aclose(self) -> None:
        """Close all connections, within a bounded time; a caller's pool is left alone."""
        if self._opener is None or self._process != os.getpid():
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._pool.close()
        except DRIVER_ERRORS:
            self._pool.terminate()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncGenerator[Borrowed]:
        raw = await self._acquire()
        try:
            yield raw
        except ConnectionLostError as error:
            # A connection to what became a read-only server is alive, and of no use.
            if self._opener is not None:
                drop(raw)
                if error.sqlstate == READ_ONLY:
                    await self._pool.expire_connections()
            raise
        finally:
            await give_back(self._pool, raw)

    async def _acquire(self) -> Borrowed:
        if self._process != os.getpid():
            raise forked(self._process)
        try:
            # asyncpg's own time limit costs a task each time.
            async with asyncio.timeout(ACQUIRE_SECONDS):
                return await self._pool.acquire()
        except TimeoutError as error:
            raise self._none_free() from error
        except DRIVER_ERRORS as error:
            raise ours(error) from error

    def _none_free(self) -> DatabaseError:
        seconds, size = f"{ACQUIRE_SECONDS:g} s", self._pool.get_max_size()
        if self._pool.get_size() < size:
            return ConnectionLostError(f"no connection could be opened within {seconds}")
        return DatabaseError(
            f"none of the {size} connections became free within {seconds}; allow more of them, or "
            "hold them for less time"
        )

    async def _read_lent_preamble(self) -> str | None:
        """SQL for a transaction that is lent to a handler; asked of the server once."""
        if self._opener is None or self._preamble is not None:
            return None  # the session is not set up by us, so there is nothing to give back
        async with self._lent_lock:
            if self._lent_preamble is None:
                self._lent_preamble = session.lent(await self._opener.settings_of_the_role())
        return self._lent_preamble


async def _nothing_to_reset(_raw: object) -> None:
    """Sessions of ours leave no state behind, so no query is spent on resetting them."""
