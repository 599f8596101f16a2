"""`graphile-worker show`."""

from __future__ import annotations

import os

import click

from graphile_worker.cli.database import with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.job_json import job_json, job_lines
from graphile_worker.cli.output import print_json
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.errors import GraphileWorkerError


@click.command("show", cls=Command, epilog=examples("show 1", "show 1 --json"))
@click.argument("job_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@click.pass_context
def command(context: click.Context, job_id: int) -> None:
    """Show one job.

    Where it stands, its last error, its payload.
    """
    settings = Settings.of(context)
    job = with_utils(settings, lambda utils: utils.get_job(job_id))
    if job is None:
        raise GraphileWorkerError(f"there is no job {job_id}; a completed job is deleted")
    if settings.json:
        print_json(job_json(job))
        return
    for name, text in job_lines(job):
        click.echo(f"{bold(name)}: {text}")


def bold(text: str) -> str:
    """Bold, where the terminal can and its user wants it."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain else click.style(text, bold=True)
