"""`graphile-worker task`."""

from __future__ import annotations

import click

from graphile_worker.cli import pausing
from graphile_worker.cli.pausing import by_option, named, who
from graphile_worker.cli.settings import Command, Group


@click.group("task", cls=Group)
def command() -> None:
    """Pause and resume tasks, for the Python workers."""


@command.command("pause", cls=Command)
@click.argument("name", metavar="IDENTIFIER")
@by_option
@click.pass_context
def pause(context: click.Context, name: str, by: str | None) -> None:
    """Let Python workers start no job of a task; its jobs wait."""
    pausing.pause(context, named("task", name), lambda utils: utils.pause_task(name, by=who(by)))


@command.command("resume", cls=Command)
@click.argument("name", metavar="IDENTIFIER")
@click.pass_context
def resume(context: click.Context, name: str) -> None:
    """Let Python workers run a task again."""
    pausing.resume(context, name, named("task", name), lambda utils: utils.resume_task(name))
