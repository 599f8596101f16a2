"""`Worker`: starts the parts, and stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Final

from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.errors import ConfigurationError
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.hooks.reasons import ShutdownReason
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.runtime.shutdown import ShutdownSignal
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.tasks.context import Environment
from graphile_worker.worker.claimer import ClaimRules
from graphile_worker.worker.engine import Engine
from graphile_worker.worker.exporter import exporter_of
from graphile_worker.worker.http_server import Pages, serving
from graphile_worker.worker.loop_monitor import LoopMonitor
from graphile_worker.worker.notifications import Listener
from graphile_worker.worker.settings import ShutdownTrigger, WorkerSettings, seconds
from graphile_worker.worker.signals import shutdown_on_signals
from graphile_worker.worker.task_ids import TaskIds
from graphile_worker.worker.worker_events import run_told

logger = logging.getLogger(__name__)

_CANCELLED_END_WITHIN: Final = 1.0
"""Seconds that a cancelled handler has for its `finally` blocks."""
_STORED_WITHIN: Final = 5.0
"""Seconds that the last outcomes have to reach the database."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a worker takes jobs."""

    is_ready: bool


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
        worker_id: str,
        database: Database,
        direct: Database,
        task_ids: TaskIds,
        registry: HookRegistry,
        hooks: Hooks,
        resources: AsyncExitStack,
    ) -> None:
        self.worker_id = worker_id
        """In `locked_by` of the jobs this worker holds."""
        self._options = options
        self._schema = Schema(options.schema)
        self._database = database
        self._direct = direct
        self._task_ids = task_ids
        self._registry = registry
        self._hooks = hooks
        self._shutdown_reason: ShutdownReason | None = None
        self._resources = resources
        self._shutdown = ShutdownSignal()
        self._wakeup = Wakeup()
        self._ended = asyncio.Event()
        self._ended.set()

    async def run(self) -> None:
        """Run jobs as they come, until a shutdown is asked for.

        Cancelling it is an abort: running handlers are cancelled and their jobs handed back before
        it returns.

        Raises:
            ConfigurationError: a run of this worker is already under way.
        """
        config = self._options.shutdown_config()
        with contextlib.ExitStack() as stack:
            if config.listen_os_shutdown_signals:
                stack.enter_context(shutdown_on_signals(self._signalled, self._abort))
            await self._protected(self._serve_told(config.shutdown_signal))

    async def run_once(self, *, raise_on_failure: bool = False) -> RunResult:
        """Run everything that is due, and what falls due meanwhile; no LISTEN, no polling.

        Args:
            raise_on_failure: for tests: raise what handlers raised, once all is done.

        Raises:
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
        )

    async def aclose(self) -> None:
        """End a `run` that is under way, in order, and close the connections. Idempotent."""
        self.request_shutdown()
        await self._ended.wait()
        await self._resources.aclose()

    def _signalled(self) -> None:
        self.request_shutdown(ShutdownReason.SIGNAL)

    def _abort(self) -> None:
        self._shutdown.abort()
        self._wakeup()

    async def _protected(self, service: Coroutine[Any, Any, Engine]) -> Engine:
        """Await a service so that cancelling us lets it hand its jobs back first."""
        if not self._ended.is_set():
            service.close()
            raise ConfigurationError("this worker is already running; make another for more")
        self._ended.clear()
        task = asyncio.ensure_future(service)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._abort()
            await asyncio.wait([task])
            raise
        except BaseExceptionGroup as group:
            raise (group.exceptions[0] if len(group.exceptions) == 1 else group) from None
        finally:
            self._ended.set()

    async def _serve_told(self, trigger: ShutdownTrigger | None) -> Engine:
        pages = Pages(self._readiness, exporter_of(self._registry))
        address = self._options.listen_address()
        async with (
            serving(address, pages),
            run_told(
                self._hooks,
                self._database,
                self.worker_id,
                self._options,
                lambda: self._shutdown_reason or ShutdownReason.GRACEFUL,
            ),
        ):
            return await self._serve(trigger)

    def _readiness(self) -> Readiness:
        running = not self._ended.is_set() and not self._shutdown.draining.is_set()
        return Readiness(is_ready=running)

    async def _serve(self, trigger: ShutdownTrigger | None) -> Engine:
        engine = self._engine(self._hooks)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.aclose)
            await stack.enter_async_context(LoopMonitor(describe=engine.describe))
            group = await stack.enter_async_context(asyncio.TaskGroup())
            services = [group.create_task(engine.releaser.run(), name="release")]
            if self._options.use_notification_delivery:
                listener = Listener(self._direct, self._wakeup)
                services.append(group.create_task(listener.run(), name="listen"))
            if trigger is not None:
                services.append(group.create_task(self._await_trigger(trigger), name="trigger"))
            await engine.report_unknown_tasks()
            logger.info("worker %s: looking for jobs", self.worker_id, extra=self._told("Start"))
            claiming = group.create_task(engine.claimer.run(), name="claim")
            try:
                await self._shutdown.draining.wait()
            finally:
                # Also when a service failed: nothing more is claimed, and jobs go back.
                self.request_shutdown()
                await self._end(engine, claiming)
            for service in services:
                service.cancel()
        logger.info("worker %s: stopped", self.worker_id, extra=self._told("Shutdown"))
        return engine

    def _told(self, what: str) -> dict[str, str]:
        return {"event": f"Worker{what}", "worker_id": self.worker_id}

    async def _drain_queue(self, *, raise_on_failure: bool) -> Engine:
        hooks = replace(self._hooks, job_fetch=None)
        engine = self._engine(hooks, collect_errors=raise_on_failure)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.aclose)
            await stack.enter_async_context(LoopMonitor(describe=engine.describe))
            group = await stack.enter_async_context(asyncio.TaskGroup())
            releasing = group.create_task(engine.releaser.run(), name="release")
            try:
                await engine.claimer.run_until_empty(lambda: engine.is_idle)
                await engine.report_unknown_tasks()
            finally:
                await self._end(engine, None)
            releasing.cancel()
        return engine

    async def _await_trigger(self, trigger: ShutdownTrigger) -> None:
        await (trigger.wait() if isinstance(trigger, asyncio.Event) else trigger)
        self.request_shutdown()

    async def _end(self, engine: Engine, claiming: asyncio.Task[None] | None) -> None:
        """Draining, aborting, stored: each bounded, so that a dead database cannot hold us up."""
        grace = seconds(self._options.shutdown_config().grace_period)
        await _within(grace, engine.slots.wait_idle(), unless=self._shutdown.aborting)
        if engine.slots.running:
            self._shutdown.abort()
            for job in engine.slots.running:
                logger.warning(
                    "job %s: interrupted by the shutdown",
                    job.id,
                    extra={"event": "JobInterrupted", "job_id": job.id, "attempt": job.attempts},
                )
            engine.slots.cancel_all()
            await _within(_CANCELLED_END_WITHIN, engine.slots.wait_idle())
        await engine.abandon_running()
        if claiming is not None:
            await asyncio.wait([claiming], timeout=_STORED_WITHIN)
            claiming.cancel()
        await _within(_STORED_WITHIN, engine.releaser.wait_empty())
        if engine.releaser.unreleased:
            logger.error(
                "the database is away; these jobs stay locked until they are recovered: %s",
                [job.id for job in engine.releaser.unreleased],
            )

    def _engine(self, hooks: Hooks, *, collect_errors: bool = False) -> Engine:
        options = self._options
        environment = Environment(
            worker_id=self.worker_id,
            schema=options.schema,
            database=self._database,
            utils=self.create_utils(),
            extensions=options.extensions_by_type(),
            shutdown=self._shutdown,
            loop=asyncio.get_running_loop(),
        )
        flags = list(options.forbidden_flags)
        rules = ClaimRules(
            schema=self._schema,
            worker_id=self.worker_id,
            forbidden_flags=flags or None,
            use_local_time=options.use_local_time,
            poll_interval=seconds(options.poll_interval),
        )
        return Engine(
            options,
            rules,
            environment,
            self._task_ids,
            self._wakeup,
            hooks,
            collect_errors=collect_errors,
        )


async def _within(
    limit: float, wait: Coroutine[Any, Any, Any], *, unless: asyncio.Event | None = None
) -> None:
    """Await, but no longer than `limit` seconds, nor past the moment that `unless` is set."""
    waits = [asyncio.ensure_future(wait)]
    if unless is not None:
        waits.append(asyncio.ensure_future(unless.wait()))
    try:
        await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in waits:
            future.cancel()
