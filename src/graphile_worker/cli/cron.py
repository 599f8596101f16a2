"""`graphile-worker cron`."""

from __future__ import annotations

import click

from graphile_worker.cli import pausing
from graphile_worker.cli.examples import examples
from graphile_worker.cli.pausing import by_option, named, who
from graphile_worker.cli.settings import Command, Group


@click.group("cron", cls=Group, epilog=examples("cron pause nightly", "cron resume nightly"))
def command() -> None:
    """Pause and resume recurring jobs, for the Python workers."""


@command.command("pause", cls=Command, epilog=examples("cron pause nightly --by ada"))
@click.argument("name", metavar="IDENTIFIER")
@by_option
@click.pass_context
def pause(context: click.Context, name: str, by: str | None) -> None:
    """Let Python workers add no job of a cron entry.

    Runs that fall into the pause are left out, also afterwards.
    """
    pausing.pause(
        context, named("cron entry", name), lambda utils: utils.pause_cron(name, by=who(by))
    )


@command.command("resume", cls=Command, epilog=examples("cron resume nightly"))
@click.argument("name", metavar="IDENTIFIER")
@click.pass_context
def resume(context: click.Context, name: str) -> None:
    """Let Python workers add the jobs of a cron entry again."""
    pausing.resume(context, name, named("cron entry", name), lambda utils: utils.resume_cron(name))
