"""`graphile-worker run`."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import Unpack

import click

from graphile_worker.cli.application import Target, find, options_of
from graphile_worker.cli.logs import FORMATS, LEVELS, log_to_stderr
from graphile_worker.cli.loop import run_on_fastest_loop
from graphile_worker.cli.output import print_json
from graphile_worker.cli.run_flags import RunFlags, merge, run_flags
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.hooks.reasons import ShutdownReason
from graphile_worker.telemetry.event_log import EventLog
from graphile_worker.worker.options import WorkerOptions
from graphile_worker.worker.signals import shutdown_on_signals
from graphile_worker.worker.worker import RunResult, Worker

logger = logging.getLogger(__name__)


@click.command("run", cls=Command)
@click.argument("target", metavar="MODULE:ATTRIBUTE")
@click.option("--once", is_flag=True, help="Run what is due, print how it ended, and exit.")
@run_flags
@click.option("--log-level", type=click.Choice(LEVELS), help="On stderr. [default: info]")
@click.option("--log-format", type=click.Choice(tuple(FORMATS)), help="Of a line. [default: text]")
@click.option("--log-events", is_flag=True, help="Log what goes well too.")
@click.pass_context
def command(
    context: click.Context,
    target: str,
    *,
    once: bool,
    log_level: str | None,
    log_format: str | None,
    log_events: bool,
    **flags: Unpack[RunFlags],
) -> None:
    """Run a worker.

    It works until SIGINT or SIGTERM.

    MODULE:ATTRIBUTE is a WorkerOptions, a function returning one, a task or a list of tasks, for
    example `tasks:tasks` or `app/worker.py:options`; modules of the current folder are found.
    Flags win over WorkerOptions, which win over the environment.

    With --once the exit code is 0 also when jobs failed: that is their state, not this command's.
    """
    module, _, attribute = target.rpartition(":")
    if not module or not attribute:
        raise click.BadParameter(
            f"`{target}`: write MODULE:ATTRIBUTE, for example tasks:tasks", param_hint="target"
        )
    settings = Settings.of(context)
    found = find(target)
    log_to_stderr(log_level, log_format)
    # A single pass is over before a faster loop has paid for its import.
    run_loop = asyncio.run if once else run_on_fastest_loop
    result = run_loop(_run(found, settings, flags, once=once, log_events=log_events))
    if result is not None:
        _print(result, as_json=settings.json)


def _print(result: RunResult, *, as_json: bool) -> None:
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    click.echo(
        f"{result.completed} completed, {result.failed} failed, {result.retried} to be retried"
    )


async def _run(
    target: Target, settings: Settings, flags: RunFlags, *, once: bool, log_events: bool
) -> RunResult | None:
    """Run the worker; None when there is nothing to sum up."""
    stop = _Stop()
    with shutdown_on_signals(stop.drain, stop.abort):
        try:
            options = merge(await options_of(target), settings, flags)
            if log_events:
                options = options.add_plugin(EventLog())
            return await _work(options, stop, once=once)
        except asyncio.CancelledError:
            if not stop.asked:
                raise
            return None


async def _work(options: WorkerOptions, stop: _Stop, *, once: bool) -> RunResult | None:
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

    def abort(self) -> None:
        """Stop now; a worker hands its running jobs back before it lets go."""
        if self._command is not None:
            self._command.cancel()
