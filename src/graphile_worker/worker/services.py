"""What a worker does beside its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.recovery.sweep import Sweep
from graphile_worker.recovery.sweep_events import SweepEvents
from graphile_worker.recovery.sweeper import Sweeper
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.crons import schedule_crons
from graphile_worker.worker.engine import Engine
from graphile_worker.worker.notifications import Listener
from graphile_worker.worker.opened import Opened
from graphile_worker.worker.pauses import PauseWatch
from graphile_worker.worker.schema_guard import SchemaGuard
from graphile_worker.worker.service_database import ServiceDatabase
from graphile_worker.worker.settings import WorkerSettings
from graphile_worker.worker.task_ids import TaskIds


class Services:
    """Listens, sweeps, schedules, and looks at the schema and at what is paused.

    Collaborators: `wakeup` is called when there may be jobs; `on_unusable` gets the error that says
    why the worker cannot go on.
    """

    def __init__(
        self,
        options: WorkerSettings,
        opened: Opened,
        identity: WorkerIdentity,
        task_ids: TaskIds,
        hooks: Hooks,
        wakeup: Wakeup,
        *,
        on_unusable: Callable[[DatabaseError], None],
    ) -> None:
        self._options = options
        self._schema = schema = Schema(options.schema)
        self._opened = opened
        self._identity = identity
        self._hooks = hooks
        self._wakeup = wakeup
        pool = opened.database
        self._database = database = ServiceDatabase(pool) if options.reserves_for_services else pool
        self._guard = SchemaGuard(database, schema, on_unusable=on_unusable)
        self.pauses = PauseWatch(
            database, schema, task_ids, is_told=options.use_notification_delivery
        )

    def listener(self, engine: Engine) -> Listener | None:
        """For one run; None: the worker only polls."""
        if not self._options.use_notification_delivery:
            return None
        queue = engine.local_queue
        return Listener(
            self._opened.direct,
            self._identity,
            self._wakeup,
            on_migrated=self._guard.look,
            on_paused=self.pauses.told,
            on_announced=None if queue is None else queue.announced,
        )

    async def run(self, engine: Engine, listener: Listener | None) -> None:
        """Do all but the recurring jobs until cancelled; if one part fails, all of them end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._guard.run(), name="schema")
            group.create_task(self.pauses.run(engine, self._wakeup), name="pauses")
            if self._options.recovery_config().enabled:
                group.create_task(self._sweeper().run(), name="sweep")
            if listener is not None:
                group.create_task(listener.run(), name="listen")

    async def schedule_crons(self) -> None:
        """Add recurring jobs until cancelled; at once done where there are none."""
        await schedule_crons(self._options, self._schema, self._database, self._hooks, self.pauses)

    def _sweeper(self) -> Sweeper:
        how = Sweep(schema=self._schema, config=self._options.recovery_config())
        return Sweeper(self._database, self._identity, how, SweepEvents.of(self._hooks))
