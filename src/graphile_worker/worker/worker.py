"""`Worker`: starts the parts, and stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from graphile_worker.client.open_database import url_of
from graphile_worker.client.sync_worker_utils import SyncWorkerUtils
from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.database.executor import SyncExecutor
from graphile_worker.database.schema import Schema
from graphile_worker.errors import ConfigurationError, DatabaseError
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.hooks.reasons import ShutdownReason
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.local_queue.events import SILENT
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.runtime.finishing import finish
from graphile_worker.runtime.log_fields import log_fields
from graphile_worker.runtime.shutdown import ShutdownSignal
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.tasks.context import Environment
from graphile_worker.worker.alongside import alongside
from graphile_worker.worker.batch_delays import NO_DELAYS
from graphile_worker.worker.claim_rules import claim_rules
from graphile_worker.worker.ending import end_in_order, within
from graphile_worker.worker.engine import Engine
from graphile_worker.worker.exporter import exporter_of
from graphile_worker.worker.health import Health, Parts, stopped
from graphile_worker.worker.http_server import Pages, serving
from graphile_worker.worker.local_queue_events import LocalQueueTeller
from graphile_worker.worker.loop_monitor import LoopMonitor
from graphile_worker.worker.membership import Membership, beats_in_thread
from graphile_worker.worker.notifications import Listener
from graphile_worker.worker.opened import Opened
from graphile_worker.worker.services import Services
from graphile_worker.worker.settings import ShutdownTrigger, WorkerSettings, seconds
from graphile_worker.worker.shutdown_trigger import failure_of
from graphile_worker.worker.signals import shutdown_on_signals
from graphile_worker.worker.sync_database import LazySyncDatabase
from graphile_worker.worker.task_ids import TaskIds
from graphile_worker.worker.worker_events import run_told

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What `run_once` did: jobs done, failed for good, and left to be retried or run again."""

    completed: int = 0
    failed: int = 0
    retried: int = 0


class Worker:
    """Claims jobs and runs them. Made by `WorkerOptions.init()`.

    Owns the connections it was opened with; `aclose` (or the end of `async with`) ends a `run`
    that is under way and closes them.
    """

    def __init__(
        self,
        options: WorkerSettings,
        *,
        identity: WorkerIdentity,
        opened: Opened,
        task_ids: TaskIds,
        registry: HookRegistry,
        hooks: Hooks,
        history: AbstractAsyncContextManager[object],
    ) -> None:
        self._identity = identity
        self._options = options
        self._schema = Schema(options.schema)
        self._opened = opened
        self._database = database = opened.database
        self._task_ids = task_ids
        self._registry = registry
        self._hooks = hooks
        self._history = history
        self._shutdown_reason: ShutdownReason | None = None
        self._shutdown = ShutdownSignal()
        self._failure: BaseException | None = None
        self._parts: Parts | None = None
        self._sync_database = LazySyncDatabase(
            options.direct_database_url or url_of(database) or options.database_url,
            max_connections=options.thread_workers or options.concurrency,
            prepared_statements=options.prepared_statements,
        )
        self._wakeup = Wakeup()
        self._services = Services(
            options,
            opened,
            identity,
            task_ids,
            hooks,
            self._wakeup,
            on_unusable=self._cannot_go_on,
        )
        self._is_spent = False
        self._ended = asyncio.Event()
        self._ended.set()

    @property
    def worker_id(self) -> str:
        """In `locked_by` of the jobs this worker holds; another one after it was swept."""
        return self._identity.id

    async def run(self) -> None:
        """Run jobs as they come, until a shutdown is asked for.

        Cancelling it is an abort: running handlers are cancelled and their jobs handed back before
        it returns. What `shutdown_signal` fails with is raised after the shutdown.

        Raises:
            ConfigurationError: a run of this worker is already under way, or it was shut down.
            DatabaseError: the worker could not be registered.
            IncompatibleSchemaError: another program migrated the schema to a revision that this
                version cannot work with; the worker has drained first.
            SchemaMissingError: somebody dropped it.
        """
        config = self._options.shutdown_config()
        with contextlib.ExitStack() as stack:
            if config.listen_os_shutdown_signals:
                stack.enter_context(shutdown_on_signals(self._signalled, self._abort))
            await self._protected(self._serve_with_pages(config.shutdown_signal))
        if self._failure is not None:
            raise self._failure

    async def run_once(self, *, raise_on_failure: bool = False) -> RunResult:
        """Run everything that is due, and what falls due meanwhile; no LISTEN, no polling.

        Args:
            raise_on_failure: for tests: raise what handlers raised, once all is done.

        Raises:
            ConfigurationError: a run of this worker is already under way, or it was shut down.
            ExceptionGroup: with `raise_on_failure`, the exceptions of the failed runs.
            DatabaseError: a claim failed.
        """
        engine = await self._protected(self._drain_queue(raise_on_failure=raise_on_failure))
        if raise_on_failure and engine.errors:
            raise ExceptionGroup(f"{len(engine.errors)} runs failed", engine.errors)
        return RunResult(engine.completed, engine.failed, engine.retried)

    def request_shutdown(self, reason: ShutdownReason = ShutdownReason.GRACEFUL) -> None:
        """Take no more jobs; `run` returns when those running have ended, or the grace period.

        Idempotent. To be called on the worker's event loop.

        Args:
            reason: what `WorkerShutdown` hooks are told; the first call's counts.
        """
        self._shutdown_reason = self._shutdown_reason or reason
        self._shutdown.drain()
        self._wakeup()

    def create_utils(self) -> WorkerUtils:
        """Utils on the worker's own pool; they end with the worker."""
        return WorkerUtils(
            self._database,
            schema=self._schema,
            use_local_time=self._options.use_local_time,
            hooks=self._registry,
            known_tasks=self._task_ids.identifiers,
        )

    def health(self) -> Health:
        """How the worker is doing; asks nobody, and may be called as often as one likes."""
        if self._parts is None:
            in_thread = beats_in_thread(self._options)
            return stopped(
                worker_id=self.worker_id,
                slots=self._options.concurrency,
                heartbeat_in_thread=in_thread,
            )
        return self._parts.health(
            worker_id=self.worker_id,
            shutdown=self._shutdown.state,
            local_time=self._options.use_local_time,
        )

    def _sync_utils(self, executor: SyncExecutor) -> SyncWorkerUtils:
        return SyncWorkerUtils(
            executor,
            schema=self._schema,
            use_local_time=self._options.use_local_time,
            hooks=self._registry,
            known_tasks=self._task_ids.identifiers,
        )

    async def aclose(self) -> None:
        """End a `run` that is under way, in order, and close the connections. Idempotent."""
        self.request_shutdown()
        await self._ended.wait()
        await finish(self._close())

    async def _close(self) -> None:
        await asyncio.to_thread(self._sync_database.close)
        await self._opened.resources.aclose()

    def _signalled(self) -> None:
        self.request_shutdown(ShutdownReason.SIGNAL)

    def _cannot_go_on(self, error: DatabaseError) -> None:
        logger.error("stopping: %s", error)
        self._failure = error
        self.request_shutdown(ShutdownReason.ERROR)

    def _abort(self) -> None:
        self._shutdown.abort()
        self._wakeup()

    async def _protected(self, service: Coroutine[Any, Any, Engine]) -> Engine:
        """Await a service so that cancelling us lets it hand its jobs back first."""
        if not self._ended.is_set():
            service.close()
            raise ConfigurationError("this worker is already running; make another for more")
        if self._is_spent:
            service.close()
            raise ConfigurationError("this worker was shut down; make another for more")
        self._ended.clear()
        try:
            return await finish(service, on_cancel=self._abort)
        finally:
            self._is_spent = self._shutdown.is_draining
            self._ended.set()

    async def _serve_with_pages(self, trigger: ShutdownTrigger | None) -> Engine:
        pages = Pages(self.health, exporter_of(self._registry))
        address = self._options.listen_address()
        async with serving(address, pages):
            return await self._serve(trigger)

    async def _serve(self, trigger: ShutdownTrigger | None) -> Engine:
        teller = LocalQueueTeller(self._hooks, self._identity)
        engine = self._engine(self._hooks, ahead=teller)
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            monitor = await enter(LoopMonitor(describe=engine.describe))
            membership = await enter(self._membership(engine))
            await enter(self._told_of_run())
            await enter(self._history)
            stack.push_async_callback(teller.wait_told)
            stack.push_async_callback(engine.aclose)
            listener = self._services.listener(engine)
            stack.enter_context(self._shown(engine, membership, monitor, listener))
            await enter(alongside(engine.releaser.run(), "release"))
            await enter(alongside(membership.run(), "membership"))
            await self._services.pauses.look()
            await enter(alongside(self._services.run(engine, listener), "services"))
            if trigger is not None:
                await enter(alongside(self._await_trigger(trigger), "trigger"))
            crons = await enter(alongside(self._services.schedule_crons(), "cron"))
            await engine.report_unknown_tasks()
            self._log("worker %s: looking for jobs", "WorkerStart")
            if engine.local_queue is not None:
                engine.local_queue.open()
            claiming = await enter(alongside(engine.claimer.run(), "claim"))
            try:
                await self._shutdown.draining.wait()
            finally:
                crons.cancel()
                # Also when a service failed: nothing more is claimed, and jobs go back.
                self.request_shutdown()
                await self._end(engine, claiming)
        self._log("worker %s: stopped", "WorkerShutdown")
        return engine

    def _told_of_run(self) -> AbstractAsyncContextManager[None]:
        return run_told(
            self._hooks,
            self._opened,
            self._identity,
            self._options,
            lambda: self._shutdown_reason or ShutdownReason.GRACEFUL,
        )

    def _log(self, message: str, event: str) -> None:
        fields = {"event": event, "worker_id": self.worker_id}
        log_fields(logger, logging.INFO, message, self.worker_id, fields=fields)

    async def _drain_queue(self, *, raise_on_failure: bool) -> Engine:
        hooks = replace(self._hooks, job_fetch=None)
        engine = self._engine(hooks, collect_errors=raise_on_failure)
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            await enter(self._history)
            stack.push_async_callback(engine.aclose)
            monitor = await enter(LoopMonitor(describe=engine.describe))
            membership = await enter(self._membership(engine))
            stack.enter_context(self._shown(engine, membership, monitor, None))
            await enter(alongside(engine.releaser.run(), "release"))
            await enter(alongside(membership.run(), "membership"))
            await self._services.pauses.look()
            until_empty = engine.claimer.run_until_empty(lambda: engine.is_idle)
            claiming = await enter(alongside(until_empty, "claim"))
            try:
                await within(None, asyncio.wait([claiming]), unless=self._shutdown.draining)
                if claiming.done():
                    await engine.report_unknown_tasks()
            finally:
                if not claiming.done():
                    # A service failed, or it has begun.
                    self.request_shutdown()
                await self._end(engine, claiming)
        return engine

    async def _await_trigger(self, trigger: ShutdownTrigger) -> None:
        error = await failure_of(trigger)
        if error is not None:
            logger.error("stopping: shutdown_signal failed: %r", error)
            self._failure = error
        self.request_shutdown(ShutdownReason.GRACEFUL if error is None else ShutdownReason.ERROR)

    async def _end(self, engine: Engine, claiming: asyncio.Task[None]) -> None:
        grace = seconds(self._options.shutdown_config().grace_period)
        # A service that fails now must not cut it short.
        await finish(end_in_order(engine, claiming, self._shutdown, grace=grace))

    @contextlib.contextmanager
    def _shown(
        self,
        engine: Engine,
        membership: Membership,
        monitor: LoopMonitor,
        listener: Listener | None,
    ) -> Generator[None]:
        """Inside, `health()` tells of these."""
        self._parts = Parts(
            engine=engine, membership=membership, monitor=monitor, listener=listener
        )
        try:
            yield
        finally:
            self._parts = None

    def _membership(self, engine: Engine) -> Membership:
        direct = self._opened.direct
        watches = self._registry.watches_queue and direct.keeps_sessions
        return Membership(self._options, self._identity, direct, engine, watches_queue=watches)

    def _engine(
        self, hooks: Hooks, *, ahead: LocalQueueTeller | None = None, collect_errors: bool = False
    ) -> Engine:
        """For a run; `ahead`: one that may claim jobs before slots are free, told of there."""
        options = self._options
        environment = Environment(
            identity=self._identity,
            schema=options.schema,
            database=self._database,
            utils=self.create_utils(),
            extensions=options.extensions_by_type(),
            shutdown=self._shutdown,
            loop=asyncio.get_running_loop(),
            sync_database=self._sync_database,
            sync_utils=self._sync_utils,
            claims_are_row_locks=options.claim_mode == "transaction",
        )
        rules = claim_rules(
            options, self._schema, self._identity, by_index=self._opened.has_queue_index
        )
        return Engine(
            options,
            rules,
            environment,
            self._task_ids,
            self._wakeup,
            hooks,
            local_queue=None if ahead is None else options.local_queue,
            local_queue_events=SILENT if ahead is None else ahead.events(),
            batch_delays=NO_DELAYS if ahead is None else options.batch_delays(),
            keeps_queues=ahead is not None,
            collect_errors=collect_errors,
        )
