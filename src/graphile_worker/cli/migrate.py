"""`graphile-worker migrate`."""

from __future__ import annotations

import click

from graphile_worker.cli.database import with_unmigrated
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import print_json
from graphile_worker.cli.settings import Command, Settings


@click.command("migrate", cls=Command, epilog=examples("migrate", "--schema jobs migrate"))
@click.pass_context
def command(context: click.Context) -> None:
    """Create the schema, or bring it to the newest revision.

    Safe to run again, and from several places at once.
    """
    settings = Settings.of(context)
    with_unmigrated(settings, lambda utils: utils.migrate())
    if settings.json:
        print_json({"migrated": True})
    else:
        click.echo("Migrations complete")
