"""From options to a worker that is ready to run."""

from __future__ import annotations

from contextlib import AsyncExitStack

from graphile_worker.client.open_database import open_database
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.adopt import adopt
from graphile_worker.hooks.dispatch import frozen
from graphile_worker.hooks.registry import registry_of
from graphile_worker.migrations.runner import migrate
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.runtime.duration import duration
from graphile_worker.worker.exporter import add_exporter
from graphile_worker.worker.history import history_of
from graphile_worker.worker.run_job import check_executors
from graphile_worker.worker.settings import WorkerSettings, seconds
from graphile_worker.worker.task_ids import TaskIds
from graphile_worker.worker.worker import Worker
from graphile_worker.worker.worker_events import tell_of_init

_DIRECT_CONNECTIONS = 2


async def open_worker(options: WorkerSettings) -> Worker:
    """Check the tasks, connect, migrate, register; what was opened is closed if one step fails."""
    registry = options.registry()
    registry.resolve()
    check_executors(registry)
    options.crontabs()
    schema = Schema(options.schema)
    handlers = registry_of(options.hooks, options.plugins)
    add_exporter(handlers, options)
    async with AsyncExitStack() as stack:
        database = await _open(options, stack)
        migrated = await migrate(database, schema, builds_index=False)
        history = await history_of(options, database, handlers)
        hooks = frozen(handlers, seconds(options.hook_timeout))
        direct = await _open_direct(options, stack) or database
        task_ids = TaskIds(schema, registry, show_jobs=hooks.watch_jobs)
        await task_ids.register(database)
        await tell_of_init(hooks, database, options)
        return Worker(
            options,
            identity=WorkerIdentity(),
            database=database,
            direct=direct,
            has_queue_index=migrated.has_queue_index,
            task_ids=task_ids,
            registry=handlers,
            hooks=hooks,
            history=history,
            resources=stack.pop_all(),
        )


async def _open(options: WorkerSettings, stack: AsyncExitStack) -> Database:
    if options.database is not None:
        return adopt(options.database)
    wait = options.wait_for_database
    database = await open_database(
        options.database_url,
        max_connections=options.max_pg_conn - options.reserved_connections,
        prepared_statements=options.prepared_statements,
        wait=None if wait is None else duration("wait_for_database", wait),
    )
    stack.push_async_callback(database.aclose)
    return database


async def _open_direct(options: WorkerSettings, stack: AsyncExitStack) -> Database | None:
    if options.direct_database_url is None:
        return None
    database = await open_database(options.direct_database_url, max_connections=_DIRECT_CONNECTIONS)
    stack.push_async_callback(database.aclose)
    return database
