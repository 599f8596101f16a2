"""A worker in this process, from what was said to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Final

from graphile_worker.cli.application import Target, options_of
from graphile_worker.cli.run_flags import is_given, merge
from graphile_worker.cli.settings import Settings
from graphile_worker.executables.folder import tasks_in
from graphile_worker.hooks.reasons import ShutdownReason
from graphile_worker.supervisor.member import Member
from graphile_worker.telemetry.event_log import EventLog
from graphile_worker.worker.options import WorkerOptions
from graphile_worker.worker.signals import shutdown_on_signals
from graphile_worker.worker.worker import RunResult, Worker

logger = logging.getLogger(__name__)

_RETRY_DELAY: Final = "shutdown_interrupted_job_retry_delay"


async def run_worker(
    target: Target | None,
    settings: Settings,
    *,
    once: bool = False,
    reloads: bool = False,
    member: Member | None = None,
) -> RunResult | None:
    """Run the worker; None when there is nothing to sum up.

    Args:
        target: what the user's code says; None where all tasks are programs.
        settings: what is said besides.
        once: end when nothing is due any more.
        reloads: what is interrupted may run again at once, unless it is said when.
        member: the line to the supervisor, if there is one.

    Raises:
        ConfigurationError: what is said makes no sense.
        DatabaseError: and its kinds, as `WorkerOptions.init` and `Worker.run` raise them.
    """
    stop = _Stop()
    with contextlib.ExitStack() as stack:
        stack.enter_context(shutdown_on_signals(stop.drain, stop.abort))
        if member is not None:
            stack.enter_context(member.obeying(stop.drain, stop.end_now))
        try:
            options = await worker_options(target, settings, reloads=reloads)
            if member is not None:
                counts = settings.option("max_jobs_per_process") is not None
                options = member.fitted(options, count_jobs=counts)
            return await _work(options, stop, once=once, member=member)
        except asyncio.CancelledError:
            if not stop.asked:
                raise
            return None


async def worker_options(
    target: Target | None, settings: Settings, *, reloads: bool = False
) -> WorkerOptions:
    """What code, file, environment and flags say together.

    Args:
        target: what the user's code says; None where all tasks are programs.
        settings: what is said besides.
        reloads: what is interrupted may run again at once, unless it is said when.

    Raises:
        ConfigurationError: it makes no sense.
    """
    code = WorkerOptions() if target is None else await options_of(target)
    if folder := settings.option("tasks_dir"):
        code = code.define_jobs(tasks_in(folder))
    if reloads:
        code = _quick_to_retry(code, settings)
    options = merge(code, settings)
    return options.add_plugin(EventLog()) if settings.option("log_events") else options


def _quick_to_retry(code: WorkerOptions, settings: Settings) -> WorkerOptions:
    """While its author looks on, a job that a change interrupted runs again at once."""
    said = settings.option(_RETRY_DELAY) is not None
    if said or is_given(code, _RETRY_DELAY):
        return code
    return replace(code, shutdown_interrupted_job_retry_delay=0)


async def _work(
    options: WorkerOptions, stop: _Stop, *, once: bool, member: Member | None
) -> RunResult | None:
    async with options.init() as worker:
        stop.worker = worker
        logger.info(
            "concurrency %d, schema %s, tasks: %s",
            options.concurrency,
            options.schema,
            ", ".join(options.registry()),
        )
        if once:
            return await worker.run_once()
        async with contextlib.AsyncExitStack() as stack:
            if member is not None:
                await stack.enter_async_context(member.reporting(worker))
            await worker.run()
    return None


class _Stop:
    """What the signals do: before there is a worker they end the command, then its worker."""

    def __init__(self) -> None:
        self.asked = False
        self.worker: Worker | None = None
        self._command = asyncio.current_task()

    def drain(self) -> None:
        """Stop in order."""
        self.asked = True
        if self.worker is None:
            self.abort()
        else:
            self.worker.request_shutdown(ShutdownReason.SIGNAL)

    def end_now(self) -> None:
        """Stop now, asked or not."""
        self.asked = True
        self.abort()

    def abort(self) -> None:
        """Stop now; a worker hands its running jobs back before it lets go."""
        if self._command is not None:
            self._command.cancel()
