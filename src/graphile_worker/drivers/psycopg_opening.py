"""A connection string becomes a database without an event loop, over psycopg and its pool."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from weakref import WeakSet

import psycopg
import psycopg_pool

from graphile_worker.database.executor import SyncConnection
from graphile_worker.database.statement import Statement
from graphile_worker.drivers import settings as session
from graphile_worker.drivers.process import forked
from graphile_worker.drivers.psycopg_errors import DRIVER_ERRORS, not_connected, ours
from graphile_worker.drivers.psycopg_link import check_link, shut_down
from graphile_worker.drivers.psycopg_pool import ACQUIRE_SECONDS, none_free
from graphile_worker.drivers.psycopg_sync import SyncPsycopgConnection
from graphile_worker.drivers.source import Source
from graphile_worker.drivers.sqlstate import READ_ONLY
from graphile_worker.drivers.target import Target
from graphile_worker.errors import ConnectionLostError, DatabaseError

T = TypeVar("T")

CLOSE_SECONDS: Final = 5.0
"""How long closing waits for connections that are still in use."""
_IDLE_SECONDS: Final = 0.1
"""How long an idle connection may take to come out of the pool; somebody else may have it now."""
DEFAULT_TIMEOUT_SECONDS: Final = 10
"""How long one host may take, unless the connection string says `connect_timeout`."""


@dataclass(frozen=True, slots=True)
class SyncOpener:
    """Opens connections to one database.

    Attributes:
        source: where to connect.
        prepared_statements: False behind a transaction pooler, where neither named statements
            nor session settings outlive a transaction.
    """

    source: Source
    prepared_statements: bool = True

    def keywords(self, *, meaning_of_the_role: bool = False) -> dict[str, Any]:
        """What `psycopg.connect` takes.

        Raises:
            ConnectionLostError: nobody says where to connect.
        """
        target = self.source.target_now()
        return {
            **_places(target),
            **target.tls,
            **target.kerberos,
            **({"sslnegotiation": "direct"} if target.direct_tls else {}),
            **_keepalive(target),
            "user": target.user,
            "dbname": target.database,
            "target_session_attrs": target.target_session_attrs,
            "connect_timeout": int(target.connect_timeout_seconds or DEFAULT_TIMEOUT_SECONDS),
            "application_name": target.application_name or session.APPLICATION_NAME,
            "options": self._options(target, meaning_of_the_role=meaning_of_the_role),
            "client_encoding": "UTF8",
            "autocommit": True,
            "prepare_threshold": 5 if self.prepared_statements else None,
        }

    def open(self, *, meaning_of_the_role: bool = False) -> psycopg.Connection[Any]:
        """Open one connection.

        Raises:
            ConnectionLostError: no host can be reached, none is of the wanted kind, or nobody
                says where to connect.
            DatabaseError: a host answered and refuses: a wrong password, an unknown database.
        """
        try:
            raw: psycopg.Connection[Any] = psycopg.connect(
                **self.keywords(meaning_of_the_role=meaning_of_the_role)
            )
        except DRIVER_ERRORS as error:
            raise _refused(not_connected(error)) from error
        return raw

    def finish(self, raw: psycopg.Connection[Any]) -> None:
        """What the startup packet cannot do, since it depends on the server's version."""
        more = session.after_connect(raw.info.server_version // 10_000)
        if more and self.prepared_statements:
            raw.execute(more.encode())

    def settings_of_the_role(self) -> list[str]:
        """What `settings.lent` takes, asked of a session in which we did not set it."""
        with self.open(meaning_of_the_role=True) as raw:
            row = raw.execute(session.SHOW_OF_THE_ROLE.encode()).fetchone()
            return [str(value) for value in row or ()]

    def _options(self, target: Target, *, meaning_of_the_role: bool) -> str:
        """Settings in the startup packet; of two for one name the later counts, which is ours."""
        given = target.options or ""
        if not self.prepared_statements:
            return given
        settings: Mapping[str, str] = session.session_settings("", pooled=False)
        if meaning_of_the_role:
            settings = session.without_meaning(settings)
        ours = [
            f"-c {name}={_escaped(value)}"
            for name, value in settings.items()
            if name != "application_name"
        ]
        return " ".join([given, *ours]).strip()


class OwnSyncDatabase:
    """A pool of connections of ours; any thread may use it."""

    def __init__(self, opener: SyncOpener, max_connections: int) -> None:
        self._opener = opener
        self._process = os.getpid()
        self._preamble = None if opener.prepared_statements else session.begun_locally()
        self._lent_preamble: str | None = None
        self._lent_lock = threading.Lock()
        self._borrowed: set[psycopg.Connection[Any]] = set()
        self._returned = threading.Condition()
        self._current: WeakSet[psycopg.Connection[Any]] = WeakSet()
        self._pool: psycopg_pool.ConnectionPool[Any] = psycopg_pool.ConnectionPool(
            connection_class=_opened_by(opener),
            min_size=0,
            max_size=max_connections,
            name="graphile-worker",
            configure=self._set_up,
            check=check_link,
            open=False,
        )

    @classmethod
    def open(cls, opener: SyncOpener, max_connections: int) -> OwnSyncDatabase:
        """Make the pool, after a first connection has shown what may be wrong."""
        opener.open().close()
        database = cls(opener, max_connections)
        database._pool.open()
        return database

    def run(self, statement: Statement[T]) -> T:
        """Borrow a connection for one statement."""
        with self._connection() as connection:
            return connection.run(statement)

    def connection(self) -> AbstractContextManager[SyncConnection]:
        """Borrow one connection for a while."""
        return self._connection()

    @contextmanager
    def _connection(self) -> Generator[SyncConnection]:
        raw = self._acquire()
        with self._returned:
            self._borrowed.add(raw)
        connection = SyncPsycopgConnection(
            raw,
            lambda: self._give_back(raw),
            preamble=self._preamble,
            lent_preamble=self._read_lent_preamble,
        )
        try:
            yield connection
        except ConnectionLostError as error:
            # A connection to what became a read-only server is alive, and of no use.
            raw.close()
            if error.sqlstate == READ_ONLY:
                self._expire()
            raise
        finally:
            connection.close()
            with self._returned:
                self._borrowed.discard(raw)
                self._returned.notify_all()

    def close(self) -> None:
        """Close all connections, within a bounded time; those in use are dropped after it."""
        if self._process != os.getpid():
            return
        self._pool.close(CLOSE_SECONDS)
        with self._returned:
            if not self._returned.wait_for(lambda: not self._borrowed, CLOSE_SECONDS):
                for raw in self._borrowed:
                    shut_down(raw)

    def _acquire(self) -> psycopg.Connection[Any]:
        if self._process != os.getpid():
            raise forked(self._process)
        try:
            raw: psycopg.Connection[Any] = self._pool.getconn(ACQUIRE_SECONDS)
        except psycopg_pool.PoolTimeout as error:
            raise none_free(self._pool) from error
        except DRIVER_ERRORS as error:
            raise ours(error) from error
        return raw

    def _set_up(self, raw: psycopg.Connection[Any]) -> None:
        self._opener.finish(raw)
        with self._returned:
            self._current.add(raw)

    def _give_back(self, raw: psycopg.Connection[Any]) -> None:
        with self._returned:
            is_current = raw in self._current
        if not is_current:
            raw.close()
        self._pool.putconn(raw)

    def _expire(self) -> None:
        """Lend none of the open connections again; those in use are closed when they come back."""
        with self._returned:
            self._current = WeakSet()
        with suppress(*DRIVER_ERRORS):
            for _ in range(self._pool.get_stats()["pool_available"]):
                self._give_back(self._pool.getconn(_IDLE_SECONDS))

    def _read_lent_preamble(self) -> str | None:
        """SQL for a transaction that is lent to a handler; asked of the server once."""
        if self._preamble is not None:
            return session.begun()  # the session is not set up by us
        with self._lent_lock:
            if self._lent_preamble is None:
                self._lent_preamble = session.lent(self._opener.settings_of_the_role())
        return self._lent_preamble


def _opened_by(opener: SyncOpener) -> type[psycopg.Connection[Any]]:
    """What the pool connects with: where to is asked anew for each connection."""

    class Opened(psycopg.Connection[Any]):
        @classmethod
        def connect(cls, _conninfo: str = "", **pools: Any) -> Any:  # type: ignore[override] # as the pool calls it
            return super().connect(**{**opener.keywords(), **pools})

    return Opened


def _places(target: Target) -> dict[str, Any]:
    """All hosts at once: psycopg tries one after the other, each with the time limit."""
    endpoints = list(target.endpoints)
    if target.shuffled:
        random.shuffle(endpoints)
    passwords = {endpoint.password for endpoint in endpoints}
    # Several come out of the pass file, where libpq finds them again.
    password = passwords.pop() if len(passwords) == 1 else None
    return {
        "host": ",".join(endpoint.host for endpoint in endpoints),
        "port": ",".join(str(endpoint.port) for endpoint in endpoints),
        **({} if password is None else {"password": password}),
    }


def _keepalive(target: Target) -> dict[str, int]:
    if target.keepalive is None:
        return {"keepalives": 0}
    return {
        "keepalives_idle": target.keepalive.idle_seconds,
        "keepalives_interval": target.keepalive.interval_seconds,
        "keepalives_count": target.keepalive.count,
        "tcp_user_timeout": target.keepalive.user_timeout_ms,
    }


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _refused(error: DatabaseError) -> DatabaseError:
    if "startup parameter" not in str(error):
        return error
    return DatabaseError(
        f"this is a connection pooler that refuses our session settings ({error}); say "
        "prepared_statements=False, or connect to PostgreSQL itself"
    )
