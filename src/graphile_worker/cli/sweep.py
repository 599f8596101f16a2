"""`graphile-worker sweep-stale-workers`."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

import click

from graphile_worker.cli.asking import ask, dry_run_option, somebody_answers, yes_option
from graphile_worker.cli.database import with_utils
from graphile_worker.cli.durations import duration, positive_duration
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import one_line, print_json
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.recovery.sweep import SweepResult


@click.command(
    "sweep-stale-workers",
    cls=Command,
    epilog=examples(
        "sweep-stale-workers --dry-run",
        "sweep-stale-workers --sweep-threshold 5m --recovery-delay 30s --yes",
    ),
)
@click.option(
    "--sweep-threshold",
    metavar="DURATION",
    type=positive_duration,
    help="How long a worker is silent that counts as dead. [default: 5m]",
)
@click.option(
    "--recovery-delay",
    metavar="DURATION",
    type=duration,
    help="When its jobs may run again. [default: 30s]",
)
@dry_run_option
@yes_option
@click.pass_context
def command(
    context: click.Context,
    sweep_threshold: timedelta | None,
    recovery_delay: timedelta | None,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Free the jobs of workers that fell silent.

    Also those of owners that never registered, as Node.js workers, once their
    locks are that old. Nobody is found while another sweep is under way.
    """
    settings = Settings.of(context)

    def sweep(*, dry_run: bool) -> SweepResult:
        with _told_by_us():
            return with_utils(
                settings,
                lambda utils: utils.sweep_stale_workers(sweep_threshold, recovery_delay, dry_run),
            )

    if not dry_run and somebody_answers(yes=yes):
        stale = sweep(dry_run=True).worker_ids
        if stale:
            ask(f"Recover the jobs of {len(stale)} worker(s)", [one_line(name) for name in stale])
    _tell(settings, sweep(dry_run=dry_run))


def _tell(settings: Settings, swept: SweepResult) -> None:
    if settings.json:
        print_json(
            {
                "worker_ids": swept.worker_ids,
                "recovered_count": swept.recovered_count,
                "dry_run": swept.dry_run,
            }
        )
        return
    workers = f"{len(swept.worker_ids)} worker(s): {', '.join(map(one_line, swept.worker_ids))}"
    if not swept.worker_ids:
        click.echo("No stale workers found")
    elif swept.dry_run:
        click.echo(f"Would recover {workers}")
    else:
        click.echo(f"Recovered {swept.recovered_count} job(s) from {workers}")


@contextmanager
def _told_by_us() -> Generator[None]:
    """A sweep's warning says what our answer says; errors, of jobs that kill workers, show too."""
    logger = logging.getLogger("graphile_worker")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
