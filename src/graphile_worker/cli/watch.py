"""`graphile-worker watch`."""

from __future__ import annotations

from datetime import timedelta

import click

from graphile_worker.cli.durations import positive_duration
from graphile_worker.cli.examples import examples
from graphile_worker.cli.settings import Command, Settings


@click.command("watch", cls=Command, epilog=examples("watch --interval 5s", "watch --once --json"))
@click.option("--once", is_flag=True, help="Show one frame, and exit.")
@click.option(
    "--interval",
    metavar="DURATION",
    type=positive_duration,
    default="2s",
    show_default=True,
    help="From one frame to the next.",
)
@click.pass_context
def command(context: click.Context, *, once: bool, interval: timedelta) -> int:
    """Watch the jobs and the workers, live.

    Until Ctrl-C. In a pipe each frame is printed below the one before; with --json
    it is one line.
    """
    from graphile_worker.cli.watch_run import Watch, run_watch  # noqa: PLC0415

    return run_watch(
        Watch(
            settings=Settings.of(context),
            once=once,
            interval=interval.total_seconds(),
        )
    )
