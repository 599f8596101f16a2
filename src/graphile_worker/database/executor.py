"""Who can send a statement."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol, TypeVar

from graphile_worker.database.statement import Statement

T = TypeVar("T")


class Executor(Protocol):
    """Sends one statement and returns what it decodes to.

    Errors: on connections of ours `DatabaseError` and its kinds; on a connection the caller owns,
    the driver's own exception, unchanged but for a note.
    """

    async def run(self, statement: Statement[T]) -> T:
        """Send the statement; see the class for its errors."""
        ...


class SyncExecutor(Protocol):
    """The same without an event loop."""

    def run(self, statement: Statement[T]) -> T:
        """Send the statement; see `Executor` for its errors."""
        ...


class Connection(Executor, Protocol):
    """One connection of ours, held for as long as its context is open."""

    async def script(self, text: str) -> None:
        """Send several statements, without arguments, as one simple query."""
        ...

    @property
    def raw(self) -> Any:
        """The driver's own connection, for SQL that is not ours."""
        ...

    def transaction(self, *, lent: bool = False) -> AbstractAsyncContextManager[None]:
        """A READ COMMITTED transaction: commits at the end, rolls back on any exception.

        Args:
            lent: the SQL inside is a handler's, sent through `raw`: it finds its tables on the
                search path of the role, and its times in the time zone of the role. Statements
                of ours do no harm in it, since they qualify every name.
        """
        ...

    async def listen(self, channel: str, callback: Callable[[str], None]) -> None:
        """LISTEN on a channel; the callback gets each payload, on the event loop, in order."""
        ...

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Call back once, on the event loop, when the connection ends, however it ends."""
        ...

    def abort(self) -> None:
        """Drop it at once, without a goodbye: what waits for an answer gets ConnectionLostError."""
        ...

    async def aclose(self) -> None:
        """Close it for good; safe to call twice, and on a connection that is already dead."""
        ...


class Lender(Executor, Protocol):
    """Lends connections of ours to one database. `run` borrows one for one statement."""

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Borrow one connection for a while."""
        ...


class Database(Lender, Protocol):
    """A pool of connections of ours."""

    @property
    def opens_connections(self) -> bool:
        """Whether `dedicated` opens a connection, rather than keep one out of a caller's pool."""
        ...

    @property
    def keeps_sessions(self) -> bool:
        """Whether one of `dedicated` is a session of ours, and of the server, until it is closed.

        Not out of a caller's pool, and not behind a pooler in transaction mode, with which what a
        session holds, like an advisory lock, would stay.
        """
        ...

    async def dedicated(self, name: str, *, settings: dict[str, str] | None = None) -> Connection:
        """Open a connection outside the pool, owned by the caller, who closes it.

        Args:
            name: shown as part of `application_name`, so that an operator sees what it is for.
            settings: server settings over the ones all our connections have.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections; waits for borrowed ones a bounded time, then drops them."""
        ...


class SyncConnection(SyncExecutor, Protocol):
    """One connection of ours without an event loop; used by one thread at a time."""

    @property
    def raw(self) -> Any:
        """The driver's own connection, for SQL that is not ours."""
        ...

    def script(self, text: str) -> None:
        """Send several statements, without arguments, as one simple query."""
        ...

    def transaction(self, *, lent: bool = False) -> AbstractContextManager[None]:
        """A READ COMMITTED transaction; see `Connection.transaction`."""
        ...

    def close(self) -> None:
        """Close it for good; safe to call twice, and on a connection that is already dead."""
        ...


class SyncDatabase(SyncExecutor, Protocol):
    """A pool of connections of ours without an event loop; any thread may use it."""

    def connection(self) -> AbstractContextManager[SyncConnection]:
        """Borrow one connection for a while."""
        ...

    def close(self) -> None:
        """Close all connections; waits for borrowed ones a bounded time, then drops them."""
        ...
