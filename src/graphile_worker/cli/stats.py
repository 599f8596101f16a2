"""`graphile-worker stats`."""

from __future__ import annotations

import dataclasses

import click

from graphile_worker.cli.database import with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import print_json, print_rows
from graphile_worker.cli.settings import Command, Settings


@click.command("stats", cls=Command, epilog=examples("stats", "stats --json"))
@click.pass_context
def command(context: click.Context) -> None:
    """Count the jobs by state."""
    settings = Settings.of(context)
    counts = dataclasses.asdict(with_utils(settings, lambda utils: utils.stats()))
    if settings.json:
        print_json(counts)
    else:
        print_rows(list(counts), [list(counts.values())], numbers=list(counts))
