"""`graphile-worker resume --all`."""

from __future__ import annotations

import click

from graphile_worker.cli import pausing
from graphile_worker.cli.examples import examples
from graphile_worker.cli.settings import Command


@click.command("resume", cls=Command, epilog=examples("resume --all"))
@click.option("--all", "all_", is_flag=True, required=True, help="To be sure.")
@click.pass_context
def command(context: click.Context, all_: bool) -> None:
    """End the pause of all jobs.

    What is paused by its name stays so.
    """
    del all_
    pausing.resume(context, "", "all jobs", lambda utils: utils.resume_all())
