"""`graphile-worker demo`."""

from __future__ import annotations

import click

from graphile_worker.cli.examples import examples
from graphile_worker.cli.settings import Command, Settings


@click.command("demo", cls=Command, epilog=examples("demo --jobs 500"))
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=10),
    default=5000,
    show_default=True,
    help="How many jobs to add.",
)
@click.option(
    "--keep",
    is_flag=True,
    help="Stay afterwards, and run jobs that you add from another terminal, until Ctrl-C.",
)
@click.pass_context
def command(context: click.Context, *, jobs: int, keep: bool) -> int:
    """See a worker at work, on a PostgreSQL that comes along.

    Adds example jobs, runs them, and checks the result against the database, which is thrown away
    afterwards; with --keep it stays in ./.graphile-worker/demo. A database of yours is used only if
    --database-url names it: DATABASE_URL is not looked at, nor is the database of embedded:.
    """
    flags = Settings.of(context).flags
    # Something to read before the imports that take a while.
    click.echo("A worker, some thousand jobs, and a database to keep them in.\n")
    from graphile_worker.cli.demo_run import Demo, run_demo  # noqa: PLC0415

    return run_demo(Demo(url=flags.database_url, schema=flags.schema, jobs=jobs, keep=keep))
