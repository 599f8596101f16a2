"""`graphile-worker run`."""

from __future__ import annotations

import dataclasses

import click

from graphile_worker.cli.application import find
from graphile_worker.cli.examples import examples
from graphile_worker.cli.logs import log_to_stderr
from graphile_worker.cli.loop import run_on_loop
from graphile_worker.cli.output import print_json
from graphile_worker.cli.run_options import run_options, target_argument
from graphile_worker.cli.run_supervised import run_supervised, wants_supervisor
from graphile_worker.cli.run_worker import run_worker
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.supervisor.member import Member
from graphile_worker.worker.worker import RunResult


@click.command(
    "run",
    cls=Command,
    params=[target_argument(), *run_options()],
    epilog=examples("run tasks:tasks --once", "run tasks.py:options --once --concurrency 4"),
)
@click.option("--once", is_flag=True, help="Run what is due, print how it ended, and exit.")
@click.option("--reload", "reloads", is_flag=True, help="Start again when source files change.")
@click.pass_context
def command(context: click.Context, target: str | None, *, once: bool, reloads: bool) -> int | None:
    """Run a worker.

    It works until SIGINT or SIGTERM.

    MODULE:ATTRIBUTE is a WorkerOptions, a function returning one, a task or a list of tasks, for
    example `tasks:tasks` or `app/worker.py:options`; modules of the current folder are found.
    With --tasks-dir it may be left out.

    Flags win over WorkerOptions, which win over the environment, which wins over the file. The
    variable of --poll-interval is GRAPHILE_WORKER_POLL_INTERVAL, its key in the file poll_interval.

    With --once the exit code is 0 also when jobs failed: that is their state, not this command's.
    """
    settings = Settings.of(context)
    if target is None and settings.option("tasks_dir") is None:
        raise click.MissingParameter(
            ctx=context, param_hint="'MODULE:ATTRIBUTE'", param_type="argument"
        )
    member = Member.from_environment()
    # What variables and the file say of processes is meant for the workers that go on.
    about_processes = Settings(settings.flags) if once else settings
    if member is None and (reloads or wants_supervisor(about_processes)):
        if once:
            raise click.UsageError("--once runs in one process, which nothing restarts")
        return run_supervised(context.obj, settings, target, reloads=reloads)
    found = None if target is None else find(target)
    log_to_stderr(
        settings.option("log_level"),
        settings.option("log_format"),
        process=None if member is None else member.number,
    )
    # A single pass is over before a faster loop has paid for its import.
    loop = settings.option("loop") or ("asyncio" if once else "auto")
    work = run_worker(found, settings, once=once, reloads=reloads, member=member)
    result = run_on_loop(work, loop)
    if result is not None:
        _print(result, as_json=settings.json)
    return None


def _print(result: RunResult, *, as_json: bool) -> None:
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    click.echo(
        f"{result.completed} completed, {result.failed} failed, {result.retried} to be retried"
    )
