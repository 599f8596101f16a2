"""From options to a worker that is ready to run."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager

from graphile_worker.client.open_database import open_database
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.adopt import adopt
from graphile_worker.drivers.connect import keep_trying
from graphile_worker.errors import ConnectionLostError
from graphile_worker.hooks.dispatch import frozen
from graphile_worker.hooks.registry import registry_of
from graphile_worker.migrations.runner import migrate
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.runtime.duration import duration
from graphile_worker.worker.exporter import add_exporter
from graphile_worker.worker.history import recorder, what_to_record
from graphile_worker.worker.opened import Opened
from graphile_worker.worker.run_job import check_executors
from graphile_worker.worker.settings import DIRECT_POOL, WorkerSettings, seconds
from graphile_worker.worker.task_ids import TaskIds
from graphile_worker.worker.worker import Worker
from graphile_worker.worker.worker_events import tell_of_init


async def open_worker(options: WorkerSettings) -> Worker:
    """Check the tasks, connect, migrate, register; what was opened is closed if one step fails."""
    registry = options.registry()
    registry.resolve()
    check_executors(registry)
    options.crontabs()
    handlers = registry_of(options.hooks, options.plugins)
    add_exporter(handlers, options)
    task_ids = TaskIds(Schema(options.schema), registry)
    async with AsyncExitStack() as stack:
        opened = await _open(options, task_ids)
        stack.push_async_callback(opened.resources.aclose)
        history = recorder(opened, task_ids.schema, handlers)
        hooks = frozen(handlers, seconds(options.hook_timeout))
        task_ids.show_jobs |= hooks.watch_jobs
        await tell_of_init(hooks, opened.database, options)
        stack.pop_all()
        return Worker(
            options,
            identity=WorkerIdentity(),
            opened=opened,
            task_ids=task_ids,
            registry=handlers,
            hooks=hooks,
            history=history,
        )


async def _open(options: WorkerSettings, task_ids: TaskIds) -> Opened:
    """The databases, ready for a worker; tried again for as long as the options say."""

    async def attempt() -> Opened:
        async with AsyncExitStack() as stack:
            database, direct = await _connect(options, stack)
            with _explained(options):
                migrated = await migrate(database, Schema(options.schema), builds_index=False)
                await task_ids.register(database)
                history = await what_to_record(options, database)
            return Opened(
                database=database,
                direct=direct,
                has_queue_index=migrated.has_queue_index,
                history=history,
                resources=stack.pop_all(),
            )

    wait = options.wait_for_database
    if wait is None:
        return await attempt()
    return await keep_trying(attempt, duration("wait_for_database", wait))


async def _connect(options: WorkerSettings, stack: AsyncExitStack) -> tuple[Database, Database]:
    """The database, and the one for LISTEN and the heartbeat."""
    if options.database is not None:
        database: Database = adopt(options.database)
    else:
        database = await open_database(
            options.database_url,
            max_connections=options.pool_size,
            prepared_statements=options.prepared_statements,
        )
        stack.push_async_callback(database.aclose)
    if options.direct_database_url is None:
        return database, database
    direct = await open_database(options.direct_database_url, max_connections=DIRECT_POOL)
    stack.push_async_callback(direct.aclose)
    return database, direct


@contextmanager
def _explained(options: WorkerSettings) -> Generator[None]:
    """What is lost here had been there a moment before."""
    try:
        yield
    except ConnectionLostError as error:
        if options.wait_for_database is not None:
            raise  # tried again; the log says why
        raise ConnectionLostError(
            f"the connection was lost while the worker started: {error}; nothing is running yet: "
            "start it again, or let wait_for_database say how long it is to try by itself",
            sqlstate=error.sqlstate,
        ) from error
