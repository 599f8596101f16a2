"""`graphile-worker queues`."""

from __future__ import annotations

import dataclasses

import click

from graphile_worker.cli.database import with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import plain, print_json, print_rows
from graphile_worker.cli.settings import Command, Settings

_HEADER = ("id", "queue", "jobs", "ready", "locked_by", "locked_at")


@click.command("queues", cls=Command, epilog=examples("queues", "queues --json"))
@click.pass_context
def command(context: click.Context) -> None:
    """List the queues.

    By name, with all of their jobs, those that are due, and the worker that
    runs a job of it.
    """
    settings = Settings.of(context)
    queues = with_utils(settings, lambda utils: utils.queues())
    if settings.json:
        print_json([plain(dataclasses.asdict(queue)) for queue in queues])
        return
    rows = [
        (one.id, one.queue_name, one.job_count, one.ready_count, one.locked_by, one.locked_at)
        for one in queues
    ]
    print_rows(_HEADER, rows, numbers=("id", "jobs", "ready"), nothing="No queues")
