"""`WorkerOptions`: from options to a worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, overload

from graphile_worker.cron.entries import AnyCron
from graphile_worker.hooks.events import BeforeJobSchedule, JobRecovery
from graphile_worker.hooks.registry import (
    InterceptRecovery,
    InterceptRun,
    InterceptSchedule,
    O,
    Observe,
    Plugin,
    R,
    registry_of,
)
from graphile_worker.runtime.opening import Opening
from graphile_worker.worker.given import remembers_given
from graphile_worker.worker.opening import open_worker
from graphile_worker.worker.settings import WorkerSettings
from graphile_worker.worker.worker import Worker


@remembers_given
@dataclass(frozen=True, kw_only=True)
class WorkerOptions(WorkerSettings):
    """What a worker is made of; `init()` makes it. A value: variants by `dataclasses.replace`.

    The fields, their defaults and bounds are those of `WorkerSettings`. The methods besides `init`
    each return a new object.

    Raises:
        ConfigurationError: an option that makes no sense, or one given in two places.

    Example:
        async with WorkerOptions(database_url=url, tasks=[send_email]).init() as worker:
            await worker.run()
    """

    def init(self) -> Opening[Worker]:
        """Connect, migrate, register the tasks.

        Returns:
            `async with options.init() as worker`, which closes what it opened; or
            `worker = await options.init()` and later `await worker.aclose()`.

        Raises:
            ConfigurationError: no tasks, no database, a task that cannot be resolved.
            DuplicateTaskError: two tasks with one identifier.
            DatabaseError: and its kinds: no connection, no rights, no fitting schema.
        """
        return Opening(lambda: open_worker(self))

    def define_job(self, task: object) -> WorkerOptions:
        """With one more task."""
        return self.define_jobs([task])

    def define_jobs(self, tasks: Iterable[object]) -> WorkerOptions:
        """With more tasks."""
        return dataclasses.replace(self, tasks=(*self.tasks, *tasks))

    def define_batch_job(self, task: object) -> WorkerOptions:
        """With one more batch task."""
        return self.define_jobs([task])

    def with_cron(self, cron: AnyCron) -> WorkerOptions:
        """With one more recurring job, or those of a crontab text.

        Raises:
            CrontabError: the text is wrong, or an identifier is taken.
        """
        return self.with_crons([cron])

    def with_crons(self, crons: Iterable[AnyCron]) -> WorkerOptions:
        """With more recurring jobs; see `with_cron`."""
        return dataclasses.replace(self, crons=(*self.crons, *crons))

    def add_forbidden_flag(self, flag: str) -> WorkerOptions:
        """With one more flag that this worker leaves alone."""
        return dataclasses.replace(self, forbidden_flags=(*self.forbidden_flags, flag))

    def add_extension(self, extension: object) -> WorkerOptions:
        """With one more object for handlers."""
        return dataclasses.replace(self, extensions=(*self.extensions, extension))

    def add_plugin(self, plugin: Plugin) -> WorkerOptions:
        """With what a plugin registers, which it does now."""
        hooks = registry_of(self.hooks, ())
        hooks.add_plugin(plugin)
        return dataclasses.replace(self, hooks=hooks)

    @overload
    def on(self, event: type[O], handler: Observe[O]) -> WorkerOptions: ...
    @overload
    def on(self, event: type[R], handler: InterceptRun[R]) -> WorkerOptions: ...
    @overload
    def on(self, event: type[BeforeJobSchedule], handler: InterceptSchedule) -> WorkerOptions: ...
    @overload
    def on(self, event: type[JobRecovery], handler: InterceptRecovery) -> WorkerOptions: ...
    def on(self, event: Any, handler: Any) -> WorkerOptions:
        """With one more handler of an event; see `HookRegistry.on`."""
        hooks = registry_of(self.hooks, ())
        hooks.on(event, handler)
        return dataclasses.replace(self, hooks=hooks)

    def pg_pool(self, pool: object) -> WorkerOptions:
        """On a pool of the caller's."""
        return dataclasses.replace(self, database=pool)
