"""`SyncWorkerUtils`: `WorkerUtils` without an event loop."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from graphile_worker.client.binding import bind_sync
from graphile_worker.client.open_database import open_sync_database
from graphile_worker.client.setup import Setup
from graphile_worker.client.sync_adding import SyncAddsJobs
from graphile_worker.client.sync_history import SyncHistory
from graphile_worker.client.sync_managing import SyncManagesJobs
from graphile_worker.client.sync_migrations import check_schema_sync, migrate_sync
from graphile_worker.client.sync_pausing import SyncPausesJobs
from graphile_worker.database.executor import SyncDatabase
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.source import DatabaseUrl
from graphile_worker.hooks.registry import HookRegistry


class SyncWorkerUtils(SyncAddsJobs, SyncManagesJobs, SyncPausesJobs):
    """Adds, lists and changes jobs in one schema of one database, for code without `await`.

    It has the calls of `WorkerUtils`, with the same arguments, answers and errors. Made by
    `SyncWorkerUtils.connect`, or over something the caller owns: a psycopg pool or connection, a
    SQLAlchemy `Engine`, `Connection`, `Session` or `scoped_session`, a Django connection. On a
    connection or session everything is part of the caller's transaction: nothing is committed.

    Any number of threads may use one that stands on a pool or an engine; on a connection or a
    session, those that may use that.

    Args:
        over: the pool, engine, connection or session. The caller closes it.
        schema: where the tables are.
        use_local_time: jobs without `run_at` get this process's time, not the database's.
        known_tasks: identifiers of tasks that `cleanup` leaves alone.
        hooks: asked about every job that is added (`BeforeJobSchedule`), and by sweeps.

    Example:
        with SyncWorkerUtils.connect(database_url) as utils:
            utils.add_job(send_email, SendEmail("a@example.com"))
    """

    def __init__(
        self,
        over: object,
        *,
        schema: str | Schema = "graphile_worker",
        use_local_time: bool = False,
        known_tasks: Iterable[str] = (),
        hooks: HookRegistry | None = None,
    ) -> None:
        setup = Setup(
            schema=schema if isinstance(schema, Schema) else Schema(schema),
            use_local_time=use_local_time,
            known_tasks=frozenset(known_tasks),
            hooks=hooks,
        )
        super().__init__(setup, bind_sync(over))
        self._opened: SyncDatabase | None = None

    @classmethod
    def connect(
        cls,
        database_url: DatabaseUrl,
        *,
        schema: str = "graphile_worker",
        max_pg_conn: int = 5,
        prepared_statements: bool = True,
        use_local_time: bool = False,
        hooks: HookRegistry | None = None,
    ) -> Self:
        """Open a pool and check that the schema is there; needs the extra `psycopg`.

        Args:
            database_url: any libpq URL, a function that is asked for one before every connect, or
                `embedded:`.
            schema: where the tables are.
            max_pg_conn: the most connections the pool opens, at least 1; threads beyond it wait.
            prepared_statements: False behind a pooler in transaction mode.
            use_local_time: jobs without `run_at` get this process's time, not the database's.
            hooks: asked about every job that is added (`BeforeJobSchedule`), and by sweeps.

        Returns:
            Utils to `close`, or to use in `with`.

        Raises:
            MissingDependencyError: psycopg is not installed.
            ConnectionLostError: nobody answers there.
            DatabaseError: the server refused us.
            SchemaMissingError: run `graphile-worker migrate` first.
        """
        quoted = Schema(schema)
        database = open_sync_database(
            database_url, max_connections=max_pg_conn, prepared_statements=prepared_statements
        )
        try:
            check_schema_sync(database, quoted)
        except BaseException:
            database.close()
            raise
        utils = cls(database, schema=quoted, use_local_time=use_local_time, hooks=hooks)
        utils._opened = database
        return utils

    def with_executor(self, executor: object) -> Self:
        """The same calls over something the caller owns; see `WorkerUtils.with_executor`.

        Args:
            executor: a psycopg connection, a SQLAlchemy `Connection`, `Session` or
                `scoped_session`, a Django connection.

        Raises:
            ConfigurationError: it is of another kind.

        Example:
            with Session(engine) as session, session.begin():
                session.add(User(email=email))
                utils.with_executor(session).add_job(welcome, Welcome(email))
        """
        return self._bound_to(bind_sync(executor))

    @property
    def history(self) -> SyncHistory:
        """What was; see `WorkerUtils.history`."""
        return SyncHistory(self._setup, self._target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pool, if `connect` opened it; what the caller owns is left alone."""
        if self._opened is not None and not self._is_bound:
            self._opened.close()

    def migrate(self) -> None:
        """Create the schema, or bring it to the newest revision; see `WorkerUtils.migrate`."""
        migrate_sync(self._own_database("migrate"), self._setup.schema)
