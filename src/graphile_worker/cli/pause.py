"""`graphile-worker pause --all`."""

from __future__ import annotations

import click

from graphile_worker.cli import pausing
from graphile_worker.cli.examples import examples
from graphile_worker.cli.pausing import by_option, who
from graphile_worker.cli.settings import Command


@click.command("pause", cls=Command, epilog=examples("pause --all --by ada"))
@click.option("--all", "all_", is_flag=True, required=True, help="To be sure.")
@by_option
@click.pass_context
def command(context: click.Context, all_: bool, by: str | None) -> None:
    """Pause all jobs, for the Python workers.

    What is running ends as usual, and recurring jobs are added, and wait. For
    less: queue pause, task pause, cron pause.
    """
    del all_
    pausing.pause(context, "all jobs", lambda utils: utils.pause_all(by=who(by)))
