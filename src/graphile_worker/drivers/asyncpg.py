"""The port of `database/`, on asyncpg."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from graphile_worker.database.statement import Statement
from graphile_worker.drivers.asyncpg_errors import DRIVER_ERRORS, ours
from graphile_worker.drivers.opening import Opener
from graphile_worker.drivers.opening import Raw as Owned
from graphile_worker.errors import ConfigurationError, ConnectionLostError, DatabaseError

T = TypeVar("T")
Raw: TypeAlias = "Owned | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CLOSE_SECONDS = 2.0
"""How long a connection may take to say goodbye; over a dead link it would take for ever."""
POOL_CLOSE_SECONDS = 5.0
ACQUIRE_SECONDS = 30.0
"""How long to wait for a free connection: for ever would hide a pool that waits for itself."""


class AsyncpgConnection:
    """One connection, of ours or borrowed from a pool."""

    def __init__(
        self, raw: Raw, *, release: Callable[[], Any] | None = None, preamble: str | None = None
    ) -> None:
        self.raw = raw
        self._release = release
        self._preamble = preamble
        self._process = os.getpid()

    async def run(self, statement: Statement[T]) -> T:
        """Send the statement. The hot path of a worker: nothing may be added here lightly."""
        if self._process != os.getpid():
            raise forked(self._process)
        try:
            rows = await self.raw.fetch(statement.text, *statement.args)
        except DRIVER_ERRORS as error:
            raise ours(error) from error
        return statement.decode(rows)

    async def script(self, text: str) -> None:
        """Send several statements, without arguments, as one simple query."""
        if self._process != os.getpid():
            raise forked(self._process)
        try:
            await self.raw.execute(text)
        except DRIVER_ERRORS as error:
            raise ours(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """A READ COMMITTED transaction: commits at the end, rolls back on any exception."""
        block = self.raw.transaction(isolation="read_committed")
        if self._process != os.getpid():
            raise forked(self._process)
        try:
            await block.start()
            if self._preamble:
                await self.raw.execute(self._preamble)
        except DRIVER_ERRORS as error:
            raise ours(error) from error
        try:
            yield
        except BaseException:
            with suppress(*DRIVER_ERRORS):
                await block.rollback()
            raise
        try:
            await block.commit()
        except DRIVER_ERRORS as error:
            raise ours(error) from error

    async def listen(self, channel: str, callback: Callable[[str], None]) -> None:
        """LISTEN on a channel; the callback gets each payload, on the event loop, in order."""
        if self._process != os.getpid():
            raise forked(self._process)

        def notified(_raw: object, _pid: int, _channel: str, payload: object) -> None:
            callback(str(payload))

        try:
            await self.raw.add_listener(channel, notified)
        except DRIVER_ERRORS as error:
            raise ours(error) from error

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Call back once, on the event loop, when the connection ends, however it ends."""
        if self.raw.is_closed():
            asyncio.get_running_loop().call_soon(callback)
            return
        self.raw.add_termination_listener(lambda _raw: callback())

    async def aclose(self) -> None:
        """Close it, or give it back to the pool it came from."""
        if self._release is not None:
            release, self._release = self._release, None
            await release()
            return
        await close_bounded(self.raw)


class AsyncpgDatabase:
    """A pool of connections to one database, of ours or the caller's."""

    def __init__(self, pool: Pool, opener: Opener | None = None) -> None:
        self._pool = pool
        self._opener = opener
        self._process = os.getpid()

    @classmethod
    def over_pool(cls, pool: Pool) -> AsyncpgDatabase:
        """Over a pool that the caller owns: never closed here, and set up as the caller likes."""
        return cls(pool)

    @classmethod
    async def open(cls, opener: Opener, max_connections: int) -> AsyncpgDatabase:
        """Make the pool, and its first connection, so that what is wrong is known at once."""
        pool = await asyncpg.create_pool(
            min_size=0,
            max_size=max_connections,
            connect=lambda *_, **__: opener.open(),
            reset=_nothing_to_reset,
        )
        database = cls(pool, opener)
        try:
            async with database._borrowed():
                pass
        except BaseException:
            pool.terminate()
            raise
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
    async def _connection(self) -> AsyncIterator[AsyncpgConnection]:
        async with self._borrowed() as raw:
            yield AsyncpgConnection(raw)

    async def dedicated(
        self, name: str, *, settings: dict[str, str] | None = None
    ) -> AsyncpgConnection:
        """Open a connection outside the pool; over a caller's pool, pin one of its own."""
        if self._opener is not None:
            return AsyncpgConnection(await self._opener.open(name, settings))
        raw = await self._acquire()
        return AsyncpgConnection(raw, release=lambda: self._pool.release(raw))

    async def aclose(self) -> None:
        """Close all connections, within a bounded time; a caller's pool is left alone."""
        if self._opener is None or self._process != os.getpid():
            return
        try:
            async with asyncio.timeout(POOL_CLOSE_SECONDS):
                await self._pool.close()
        except DRIVER_ERRORS:
            self._pool.terminate()

    async def _acquire(self) -> PoolConnectionProxy[asyncpg.Record]:
        if self._process != os.getpid():
            raise forked(self._process)
        try:
            return await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except TimeoutError as error:
            raise DatabaseError("no free connection") from error
        except DRIVER_ERRORS as error:
            raise error if isinstance(error, ConnectionLostError) else ours(error) from error

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[PoolConnectionProxy[asyncpg.Record]]:
        raw = await self._acquire()
        try:
            yield raw
        finally:
            await self._pool.release(raw)


def forked(process: int) -> ConfigurationError:
    """Two processes that write into one socket garble both conversations."""
    return ConfigurationError(
        f"this connection was opened by process {process}, and is used in process {os.getpid()}; "
        "open connections after forking"
    )


async def close_bounded(raw: Raw) -> None:
    """Close politely, but not for longer than `CLOSE_SECONDS`."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await raw.close(timeout=CLOSE_SECONDS)
    except DRIVER_ERRORS:
        raw.terminate()


async def _nothing_to_reset(_raw: object) -> None:
    """Sessions of ours leave no state behind, so the pool need not ask for a reset."""
