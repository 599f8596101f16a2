"""`graphile-worker list`."""

from __future__ import annotations

import sys
from typing import Final

import click

from graphile_worker.cli.database import with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.job_json import LIST_HEADER, job_json, job_row
from graphile_worker.cli.output import print_json, print_rows
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.cli.suggestions import suggest_queues, suggest_tasks
from graphile_worker.client.operations.looking import STATES
from graphile_worker.jobs.job import Job

_BIGINT: Final = 2**63 - 1


@click.command(
    "list",
    cls=Command,
    epilog=examples("list --state failed --limit 10", "list --identifier send_email --json"),
)
@click.option(
    "--identifier", metavar="TASK", shell_complete=suggest_tasks, help="Only jobs of this task."
)
@click.option(
    "--queue", metavar="NAME", shell_complete=suggest_queues, help="Only jobs of this queue."
)
@click.option(
    "--state",
    type=click.Choice(STATES),
    default="all",
    help="Only jobs that stand so; running and stuck ones are locked, retrying ones are scheduled, "
    "blocked and unclaimed ones are ready.",
)
@click.option(
    "--search", metavar="TEXT", help="Text in id, key, task, queue, error or payload, in any case."
)
@click.option("--limit", metavar="N", type=click.IntRange(min=0), default=50, show_default=True)
@click.option("--offset", metavar="N", type=click.IntRange(min=0), default=0, show_default=True)
@click.pass_context
def command(
    context: click.Context,
    identifier: str | None,
    queue: str | None,
    state: str,
    search: str | None,
    limit: int,
    offset: int,
) -> None:
    """List jobs.

    By id: a table on a terminal, tab-separated values in a pipe, an array with
    --json.
    """
    settings = Settings.of(context)
    limit, offset = min(limit, _BIGINT), min(offset, _BIGINT)
    jobs = with_utils(
        settings, lambda utils: utils.list_jobs(state, identifier, queue, search, limit, offset)
    )
    if settings.json:
        print_json([job_json(job) for job in jobs])
    else:
        _print(jobs, more_from=offset + limit if len(jobs) == limit else None)


def _print(jobs: list[Job], *, more_from: int | None) -> None:
    on_terminal = sys.stdout.isatty()
    rows = [job_row(job, whole_seconds=on_terminal) for job in jobs]
    print_rows(LIST_HEADER, rows, numbers=("id", "attempts", "priority"), nothing="No jobs")
    if on_terminal and more_from:
        click.echo(f"There may be more: --offset {more_from}")
