"""One asyncpg connection, as the port's `Connection`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.transaction import Transaction

from graphile_worker.database.statement import Statement
from graphile_worker.drivers.asyncpg_errors import DRIVER_ERRORS, ours
from graphile_worker.drivers.opening import Raw as Opened
from graphile_worker.drivers.process import forked

T = TypeVar("T")
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Borrowed: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Raw: TypeAlias = "Opened | Borrowed"

CLOSE_SECONDS = 2.0
"""How long a goodbye may take; over a dead link it would take for ever."""


class AsyncpgConnection:
    """A connection; closing it closes `raw`.

    Args:
        raw: asyncpg's own connection.
        preamble: SQL that starts every transaction, where the session is not set up by us.
        lent_preamble: gives the same for transactions whose SQL is not ours.
    """

    def __init__(
        self,
        raw: Raw,
        *,
        preamble: str | None = None,
        lent_preamble: Callable[[], Awaitable[str | None]] | None = None,
    ) -> None:
        self.raw = raw
        self._preamble = preamble
        self._lent_preamble = lent_preamble
        self._process = os.getpid()
        self._listeners: list[tuple[str, Callable[[object, int, str, object], None]]] = []
        self._lost: list[Callable[[], None]] = []

    async def run(self, statement: Statement[T]) -> T:
        """Send the statement. Every claim and release passes here: nothing is added lightly."""
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
    async def transaction(self, *, lent: bool = False) -> AsyncGenerator[None]:
        """A READ COMMITTED transaction: commits at the end, rolls back on any exception.

        Args:
            lent: the SQL inside is not ours, but a handler's: it finds its tables on the search
                path of the role, and its times in the time zone of the role.
        """
        if self._process != os.getpid():
            raise forked(self._process)
        block = await self._begin(lent=lent)
        try:
            yield
        except BaseException:
            await self._roll_back(block)
            raise
        try:
            await block.commit()
        except DRIVER_ERRORS as error:
            raise ours(error) from error

    async def _begin(self, *, lent: bool) -> Transaction:
        preamble = self._preamble
        if lent:
            preamble = await self._lent_preamble() if self._lent_preamble else None
        # asyncpg's own object, because a nested transaction() of a handler looks for it.
        try:
            block = self.raw.transaction(isolation="read_committed")
        except DRIVER_ERRORS as error:  # it knows already that the connection is gone
            raise ours(error) from error
        try:
            await block.start()
            if preamble:
                await self.raw.execute(preamble)
        except BaseException as error:
            await self._roll_back(block)
            if isinstance(error, DRIVER_ERRORS):
                raise ours(error) from error
            raise
        return block

    async def _roll_back(self, block: Transaction) -> None:
        """Never leave a transaction open: a connection that cannot roll back is given up."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):  # over a dead link it would take for ever
                await block.rollback()
        except DRIVER_ERRORS:
            drop(self.raw)
        except BaseException:
            drop(self.raw)
            raise

    async def listen(self, channel: str, callback: Callable[[str], None]) -> None:
        """LISTEN on a channel; the callback gets each payload, on the event loop, in order."""
        if self._process != os.getpid():
            raise forked(self._process)

        def notified(_raw: object, _process: int, _channel: str, payload: object) -> None:
            callback(str(payload))

        try:
            await self.raw.add_listener(channel, notified)
        except DRIVER_ERRORS as error:
            raise ours(error) from error
        self._listeners.append((channel, notified))

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Call back once, on the event loop, when the connection ends, however it ends."""
        self._lost.append(callback)
        try:
            if not self.raw.is_closed():
                self.raw.add_termination_listener(self._ended)
                return
        except asyncpg.InterfaceError:  # it was a pool's, which dropped it
            pass
        asyncio.get_running_loop().call_soon(self._ended, self.raw)

    def _ended(self, _raw: object) -> None:
        callbacks, self._lost = self._lost, []
        for callback in callbacks:
            callback()

    def abort(self) -> None:
        """Drop it at once, without a goodbye: what waits for an answer gets ConnectionLostError."""
        self.raw.terminate()

    async def aclose(self) -> None:
        """Close it for good, within a bounded time; safe to call twice, or when it is dead.

        In a forked child it does nothing: the goodbye would end the parent's session.
        """
        if self._process != os.getpid():
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.raw.close()
        except DRIVER_ERRORS:
            drop(self.raw)


class PinnedConnection(AsyncpgConnection):
    """A connection out of a caller's pool or engine, which closing gives back as it was."""

    def __init__(
        self, raw: Raw, give_back: Callable[[], Awaitable[None]], *, preamble: str
    ) -> None:
        super().__init__(raw, preamble=preamble)
        self._borrowed: Raw | None = raw
        self._give_back = give_back

    async def aclose(self) -> None:
        """Give it back, without our listeners; one that does not answer is dropped."""
        if self._process != os.getpid() or self._borrowed is None:
            return
        raw, self._borrowed = self._borrowed, None
        try:
            raw.remove_termination_listener(self._ended)
            async with asyncio.timeout(CLOSE_SECONDS):
                for channel, notified in self._listeners:
                    await raw.remove_listener(channel, notified)
        except DRIVER_ERRORS:
            drop(raw)
        finally:
            await self._give_back()
            self._ended(raw)


def drop(raw: Raw) -> None:
    """End a connection at once; one that its pool already dropped is no error."""
    with suppress(asyncpg.InterfaceError):
        raw.terminate()


async def give_back(pool: Pool, raw: Borrowed) -> None:
    """Return a connection to its pool; one that cannot be reset is dropped by asyncpg."""
    with suppress(*DRIVER_ERRORS):
        await pool.release(raw, timeout=CLOSE_SECONDS)
