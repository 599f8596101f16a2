"""`graphile-worker task`."""

from __future__ import annotations

import click

from graphile_worker.cli import pausing
from graphile_worker.cli.examples import examples
from graphile_worker.cli.pausing import by_option, named, who
from graphile_worker.cli.settings import Command, Group
from graphile_worker.cli.suggestions import suggest_tasks


@click.group("task", cls=Group, epilog=examples("task pause send_email", "task resume send_email"))
def command() -> None:
    """Pause and resume tasks, for the Python workers."""


@command.command("pause", cls=Command, epilog=examples("task pause send_email --by ada"))
@click.argument("name", metavar="IDENTIFIER", shell_complete=suggest_tasks)
@by_option
@click.pass_context
def pause(context: click.Context, name: str, by: str | None) -> None:
    """Let Python workers start no job of a task; its jobs wait."""
    pausing.pause(context, named("task", name), lambda utils: utils.pause_task(name, by=who(by)))


@command.command("resume", cls=Command, epilog=examples("task resume send_email"))
@click.argument("name", metavar="IDENTIFIER", shell_complete=suggest_tasks)
@click.pass_context
def resume(context: click.Context, name: str) -> None:
    """Let Python workers run a task again."""
    pausing.resume(context, name, named("task", name), lambda utils: utils.resume_task(name))
