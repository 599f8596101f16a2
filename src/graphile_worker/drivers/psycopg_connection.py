"""One psycopg connection, as the port's `Connection`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.sql import Identifier

from graphile_worker.database.statement import Statement
from graphile_worker.drivers import settings as session
from graphile_worker.drivers.process import forked
from graphile_worker.drivers.psycopg_cursor import fetch
from graphile_worker.drivers.psycopg_errors import DRIVER_ERRORS, ours
from graphile_worker.drivers.psycopg_link import shut_down
from graphile_worker.errors import ConnectionLostError
from graphile_worker.runtime.finishing import finish

T = TypeVar("T")
Raw: TypeAlias = "psycopg.AsyncConnection[Any]"

CLOSE_SECONDS: Final = 2.0
"""How long giving back may take; over a dead link it would take for ever."""


class PsycopgConnection:
    """A connection out of a caller's pool or engine, which closing gives back as it was.

    While we have it it is in autocommit mode, in which psycopg sends what it is told and no more.

    psycopg reads from the socket only while it waits for an answer. So between statements the
    event loop watches the socket for us: for notifications, and for the end of the connection.
    """

    def __init__(self, raw: Raw, give_back: Callable[[], Awaitable[None]]) -> None:
        self.raw = raw
        self._give_back = give_back
        self._autocommit = raw.autocommit
        self._process = os.getpid()
        self._listeners: list[tuple[str, Callable[[psycopg.Notify], None]]] = []
        self._lost: list[Callable[[], None]] = []
        self._watched: int | None = None
        self._given_back = self._aborted = False

    @classmethod
    async def take(cls, raw: Raw, give_back: Callable[[], Awaitable[None]]) -> PsycopgConnection:
        """Take over a connection that is idle; if that fails, it is given back."""
        connection = cls(raw, give_back)
        try:
            with _raising_ours():
                await raw.set_autocommit(True)
        except BaseException:
            await finish(connection._return())
            raise
        return connection

    async def run(self, statement: Statement[T]) -> T:
        """Send the statement."""
        with self._in_use():
            rows = await fetch(self.raw, statement)
        return statement.decode(rows)

    async def script(self, text: str) -> None:
        """Send several statements, without arguments, as one simple query."""
        with self._in_use():
            await self._send(text)

    @asynccontextmanager
    async def transaction(self, *, lent: bool = False) -> AsyncGenerator[None]:
        """A READ COMMITTED transaction: commits at the end, rolls back on any exception.

        Args:
            lent: the SQL inside is a handler's, and finds the settings of the caller's session.
        """
        # psycopg's own object, because a nested transaction() of a handler looks for it.
        block = self.raw.transaction()
        with self._in_use():
            await block.__aenter__()
        try:
            with self._in_use():
                await self._send(session.begun() if lent else session.begun_locally())
            yield
        except BaseException as error:
            await self._roll_back(block, error)
            raise
        with self._in_use():
            await block.__aexit__(None, None, None)

    async def _roll_back(
        self, block: AbstractAsyncContextManager[Any], error: BaseException
    ) -> None:
        """Never leave a transaction open: a connection that cannot roll back is given up."""
        try:
            with suppress(*DRIVER_ERRORS):
                await block.__aexit__(type(error), error, error.__traceback__)
        finally:
            # psycopg only logs that a rollback failed.
            if self.raw.pgconn.transaction_status != TransactionStatus.IDLE:
                self.abort()
            self._watch()

    async def listen(self, channel: str, callback: Callable[[str], None]) -> None:
        """LISTEN on a channel; the callback gets each payload, on the event loop, in order."""

        def notified(notify: psycopg.Notify) -> None:
            if notify.channel == channel:
                callback(notify.payload)

        self.raw.add_notify_handler(notified)
        self._listeners.append((channel, notified))
        with self._in_use():
            await self._send(_command("listen", channel))

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Call back once, on the event loop, when the connection ends, however it ends."""
        self._lost.append(callback)
        if self._given_back or self.raw.closed:
            asyncio.get_running_loop().call_soon(self._ended)
        else:
            self._watch()

    def abort(self) -> None:
        """Drop it at once, without a goodbye: what waits for an answer gets ConnectionLostError."""
        self._aborted = True
        shut_down(self.raw)

    async def aclose(self) -> None:
        """Give it back, without our listeners; one that does not answer is dropped.

        Safe to call twice. In a forked child it does nothing: the parent uses the session.
        """
        if self._process == os.getpid() and not self._given_back:
            await finish(self._return())

    async def _return(self) -> None:
        self._given_back = True
        self._unwatch()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._restore()
        except DRIVER_ERRORS:
            self._aborted = True
        if self._aborted:
            with suppress(*DRIVER_ERRORS):
                await self.raw.close()
        with suppress(*DRIVER_ERRORS):
            await self._give_back()
        self._ended()

    async def _restore(self) -> None:
        for channel, notified in self._listeners:
            self.raw.remove_notify_handler(notified)
            if not self._aborted:
                await self._send(_command("unlisten", channel))
        if not self._aborted and self.raw.autocommit != self._autocommit:
            await self.raw.set_autocommit(self._autocommit)

    async def _send(self, text: str) -> None:
        """Send a simple query, which psycopg must not prepare: it may be several statements."""
        await psycopg.AsyncCursor(self.raw).execute(text.encode(), prepare=False)

    @contextmanager
    def _in_use(self) -> Generator[None]:
        """Around each use of the socket, after which it is ours to watch again."""
        if self._process != os.getpid():
            raise forked(self._process)
        if self._aborted or self._given_back:
            raise ConnectionLostError("the connection is closed")
        try:
            with _raising_ours():
                yield
        finally:
            self._watch()

    def _watch(self) -> None:
        if self.raw.closed:
            self._ended()
        elif self._listeners or self._lost:
            self._watched = self.raw.fileno()
            asyncio.get_running_loop().add_reader(self._watched, self._readable)

    def _unwatch(self) -> None:
        if self._watched is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            self._watched = None

    def _readable(self) -> None:
        """Something came while no statement waits for it."""
        pgconn = self.raw.pgconn
        with suppress(psycopg.OperationalError):  # then it is closed, as `closed` says
            pgconn.consume_input()
            while (notify := pgconn.notifies()) is not None:
                if pgconn.notify_handler is not None:
                    pgconn.notify_handler(notify)
        if self.raw.closed:
            self._ended()

    def _ended(self) -> None:
        self._unwatch()
        callbacks, self._lost = self._lost, []
        for callback in callbacks:
            callback()


def _command(verb: str, channel: str) -> str:
    return f"{verb} {Identifier(channel).as_string()}"


@contextmanager
def _raising_ours() -> Generator[None]:
    try:
        yield
    except DRIVER_ERRORS as error:
        raise ours(error) from error
