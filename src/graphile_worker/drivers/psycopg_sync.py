"""One psycopg connection without an event loop, as the port's `SyncConnection`."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from graphile_worker.database.statement import Statement
from graphile_worker.drivers import settings as session
from graphile_worker.drivers.process import forked
from graphile_worker.drivers.psycopg_cursor import fetch_sync
from graphile_worker.drivers.psycopg_errors import DRIVER_ERRORS, ours
from graphile_worker.errors import ConnectionLostError

T = TypeVar("T")
Raw: TypeAlias = "psycopg.Connection[Any]"


class SyncPsycopgConnection:
    """A connection out of a pool or engine, which closing gives back as it was.

    While we have it it is in autocommit mode, as in `PsycopgConnection`.

    Args:
        raw: psycopg's own connection.
        give_back: returns it to where it came from.
        preamble: SQL that starts every transaction, where the session is not set up by us.
        lent_preamble: gives the same for transactions whose SQL is not ours.
    """

    def __init__(
        self,
        raw: Raw,
        give_back: Callable[[], None],
        *,
        preamble: str | None = None,
        lent_preamble: Callable[[], str | None] | None = None,
    ) -> None:
        self.raw = raw
        self._give_back = give_back
        self._preamble = preamble
        self._lent_preamble = lent_preamble
        self._autocommit = raw.autocommit
        self._process = os.getpid()
        self._given_back = False

    @classmethod
    def take(cls, raw: Raw, give_back: Callable[[], None]) -> SyncPsycopgConnection:
        """Take over a caller's connection that is idle; if that fails, it is given back."""
        connection = cls(
            raw, give_back, preamble=session.begun_locally(), lent_preamble=session.begun
        )
        try:
            raw.autocommit = True
        except BaseException as error:
            connection.close()
            if isinstance(error, DRIVER_ERRORS):
                raise ours(error) from error
            raise
        return connection

    def run(self, statement: Statement[T]) -> T:
        """Send the statement."""
        with self._in_use():
            rows = fetch_sync(self.raw, statement)
        return statement.decode(rows)

    def script(self, text: str) -> None:
        """Send several statements, without arguments, as one simple query."""
        with self._in_use():
            self._send(text)

    @contextmanager
    def transaction(self, *, lent: bool = False) -> Generator[None]:
        """A READ COMMITTED transaction: commits at the end, rolls back on any exception.

        Args:
            lent: the SQL inside is a handler's, and finds the settings of the session.
        """
        block = self.raw.transaction()
        with self._in_use():
            block.__enter__()
        try:
            with self._in_use():
                self._begin(lent=lent)
            yield
        except BaseException as error:
            self._roll_back(block, error)
            raise
        with self._in_use():
            block.__exit__(None, None, None)

    def _begin(self, *, lent: bool) -> None:
        preamble = self._preamble
        if lent:
            preamble = self._lent_preamble() if self._lent_preamble else None
        if preamble:
            self._send(preamble)

    def _roll_back(self, block: AbstractContextManager[Any], error: BaseException) -> None:
        """Never leave a transaction open: a connection that cannot roll back is given up."""
        try:
            with suppress(*DRIVER_ERRORS):
                block.__exit__(type(error), error, error.__traceback__)
        finally:
            # psycopg only logs that a rollback failed.
            if self.raw.pgconn.transaction_status != TransactionStatus.IDLE:
                self._drop()

    def close(self) -> None:
        """Give it back; safe to call twice, or when it is dead, or in a forked child."""
        if self._given_back or self._process != os.getpid():
            return
        self._given_back = True
        try:
            if not self.raw.closed and self.raw.autocommit != self._autocommit:
                self.raw.autocommit = self._autocommit
        except DRIVER_ERRORS:
            self._drop()
        finally:
            with suppress(*DRIVER_ERRORS):
                self._give_back()

    def _send(self, text: str) -> None:
        """Send a simple query, which psycopg must not prepare: it may be several statements."""
        psycopg.Cursor(self.raw).execute(text.encode(), prepare=False)

    def _drop(self) -> None:
        with suppress(*DRIVER_ERRORS):
            self.raw.close()

    @contextmanager
    def _in_use(self) -> Generator[None]:
        if self._process != os.getpid():
            raise forked(self._process)
        if self._given_back:
            raise ConnectionLostError("the connection is closed")
        try:
            yield
        except DRIVER_ERRORS as error:
            raise ours(error) from error
