"""`WorkerUtils`: add jobs and look after them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from graphile_worker.client.adding import AddsJobs
from graphile_worker.client.binding import bind
from graphile_worker.client.history import History
from graphile_worker.client.managing import ManagesJobs
from graphile_worker.client.open_database import open_database
from graphile_worker.client.pausing import PausesJobs
from graphile_worker.client.setup import Setup
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.source import DatabaseUrl
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.migrations.runner import migrate
from graphile_worker.migrations.state import check_schema
from graphile_worker.runtime.opening import Opening


class WorkerUtils(AddsJobs, ManagesJobs, PausesJobs):
    """Adds, lists and changes jobs in one schema of one database.

    Made by `WorkerUtils.connect`, by `worker.create_utils()`, or over something the caller owns:
    an asyncpg pool or connection, a psycopg async pool or connection, a SQLAlchemy `AsyncEngine`,
    `AsyncConnection` or `AsyncSession`. On a connection or session everything is part of the
    caller's transaction: nothing is committed.

    Safe to use from many tasks of one event loop at once, as far as what it stands on is. It never
    migrates unless `migrate` is called. Errors are `DatabaseError`; on a connection of the
    caller's, what its driver raises.

    Cancel safety: a cancelled call may or may not have reached the database; add with a `job_key`
    where adding twice would hurt.

    Args:
        over: the pool, engine, connection or session. The caller closes it.
        schema: where the tables are.
        use_local_time: jobs without `run_at` get this process's time, not the database's.
        known_tasks: identifiers of tasks that `cleanup` leaves alone.
        hooks: asked about every job that is added (`BeforeJobSchedule`), and by sweeps.

    Example:
        async with WorkerUtils.connect(database_url) as utils:
            await utils.add_job(send_email, SendEmail("a@example.com"))
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
        super().__init__(setup, bind(over))
        self._opened: Database | None = None

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
    ) -> Opening[Self]:
        """Open a pool and check that the schema is there.

        Args:
            database_url: any libpq URL, a function that is asked for one before every connect, or
                `embedded:`.
            schema: where the tables are.
            max_pg_conn: the most connections the pool opens, at least 1.
            prepared_statements: False behind a pooler in transaction mode.
            use_local_time: jobs without `run_at` get this process's time, not the database's.
            hooks: asked about every job that is added (`BeforeJobSchedule`), and by sweeps.

        Returns:
            `async with WorkerUtils.connect(url) as utils`, or `await` and `aclose` it.

        Raises:
            ConnectionLostError: nobody answers there.
            DatabaseError: the server refused us.
            SchemaMissingError: run `graphile-worker migrate` first.
        """
        quoted = Schema(schema)

        async def open_utils() -> Self:
            database = await open_database(
                database_url, max_connections=max_pg_conn, prepared_statements=prepared_statements
            )
            try:
                await check_schema(database, quoted)
            except BaseException:
                await database.aclose()
                raise
            utils = cls(database, schema=quoted, use_local_time=use_local_time, hooks=hooks)
            utils._opened = database
            return utils

        return Opening(open_utils)

    def with_executor(self, executor: object) -> Self:
        """The same calls over something the caller owns, commonly in the middle of a transaction.

        Nothing is committed or flushed: the jobs are there if, and only if, the caller's own
        changes are. Calls that make transactions of their own (`migrate`, `cleanup`) are refused.

        Args:
            executor: an asyncpg connection (a pool's too), a psycopg async connection, a SQLAlchemy
                `AsyncConnection`, `AsyncSession` or `async_scoped_session`.

        Raises:
            ConfigurationError: it is of another kind.

        Example:
            async with connection.transaction():
                await connection.execute("insert into users …")
                await utils.with_executor(connection).add_job(welcome, Welcome(email))
        """
        return self._bound_to(bind(executor))

    @property
    def history(self) -> History:
        """What was: samples, counts and attempts, where history is installed; and its making."""
        return History(self._setup, self._target)

    async def aclose(self) -> None:
        """Close the pool, if `connect` opened it; what the caller owns is left alone."""
        if self._opened is not None and not self._is_bound:
            await self._opened.aclose()

    async def migrate(self) -> None:
        """Create the schema, or bring it to the newest revision.

        Raises:
            ConfigurationError: on a connection of the caller's.
            MigrationError: what stands in the way, and what to do about it.
        """
        database = self._own_database("migrate")
        await migrate(database, self._setup.schema)
