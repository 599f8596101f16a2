"""`graphile-worker queue`."""

from __future__ import annotations

import dataclasses

import click

from graphile_worker.cli.database import with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import print_json
from graphile_worker.cli.pausing import by_option, named, who
from graphile_worker.cli.settings import Command, Group, Settings
from graphile_worker.cli.suggestions import suggest_queues


@click.group("queue", cls=Group, epilog=examples("queue pause mail", "queue resume mail"))
def command() -> None:
    """Pause and resume named queues, for workers of every kind."""


@command.command("pause", cls=Command, epilog=examples("queue pause mail --by ada"))
@click.argument("name", metavar="NAME", shell_complete=suggest_queues)
@by_option
@click.pass_context
def pause(context: click.Context, name: str, by: str | None) -> None:
    """Let no worker take another job of a named queue.

    Node.js and Rust workers too. The job that is running ends as usual.
    """
    settings = Settings.of(context)
    paused = with_utils(settings, lambda utils: utils.pause_queue(name, by=who(by)))
    if settings.json:
        print_json(dataclasses.asdict(paused))
        return
    click.echo(f"No worker takes jobs of {named('queue', name)} until it is resumed")
    if paused.running:
        click.echo(f"Still running: job {_ids(paused.running)}")


@command.command("resume", cls=Command, epilog=examples("queue resume mail"))
@click.argument("name", metavar="NAME", shell_complete=suggest_queues)
@by_option
@click.pass_context
def resume(context: click.Context, name: str, by: str | None) -> None:
    """Let workers take jobs of a named queue again.

    While a job of it is running the queue waits for that, and a Python worker
    frees it then; where none runs, call this again.
    """
    settings = Settings.of(context)
    resumed = with_utils(settings, lambda utils: utils.resume_queue(name, by=who(by)))
    if settings.json:
        print_json(dataclasses.asdict(resumed))
    elif not resumed.was_paused:
        click.echo(f"Not paused: {named('queue', name)}")
    elif resumed.waits_for:
        running = _ids(resumed.waits_for)
        click.echo(f"Workers go on with {named('queue', name)} when job {running} has ended")
    else:
        click.echo(f"Workers go on with {named('queue', name)}")


def _ids(jobs: list[int]) -> str:
    return ", ".join(map(str, jobs))
