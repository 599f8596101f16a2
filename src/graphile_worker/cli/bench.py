"""`graphile-worker bench`."""

from __future__ import annotations

from datetime import timedelta

import click

from graphile_worker.cli.durations import duration
from graphile_worker.cli.examples import examples
from graphile_worker.cli.settings import Command, Settings


@click.command("bench", cls=Command, epilog=examples("bench --jobs 2000 --json"))
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=100),
    default=10_000,
    show_default=True,
    help="How many jobs to add and run, in each way of running.",
)
@click.option(
    "-c",
    "--concurrency",
    metavar="N",
    type=click.IntRange(min=1),
    default=24,
    show_default=True,
    help="Jobs run at once.",
)
@click.option(
    "--job-duration",
    metavar="DURATION",
    type=duration,
    default="0",
    show_default=True,
    help="How long each job waits, as for the network.",
)
@click.pass_context
def command(context: click.Context, *, jobs: int, concurrency: int, job_duration: timedelta) -> int:
    """Measure how fast jobs are added and run on this database.

    In a scratch schema of its own, which is removed afterwards, also on Ctrl-C and
    after a failure.
    """
    from graphile_worker.cli.bench_run import Bench, run_bench  # noqa: PLC0415

    return run_bench(
        Bench(
            settings=Settings.of(context),
            jobs=jobs,
            concurrency=concurrency,
            job_seconds=job_duration.total_seconds(),
        )
    )
