"""`graphile-worker reschedule`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypedDict, Unpack

import click

from graphile_worker.cli.changing import Act, How, change, on_jobs
from graphile_worker.cli.examples import examples
from graphile_worker.cli.instants import run_at as a_time
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.jobs.spec import SMALLINT

_LARGEST = SMALLINT.stop - 1


class Changed(TypedDict):
    """What to change; None where it stays as it is."""

    run_at: datetime | timedelta | None
    priority: int | None
    attempts: int | None
    max_attempts: int | None


class Given(How, Changed):
    """The options."""

    now: bool


@click.command(
    "reschedule",
    cls=Command,
    epilog=examples("reschedule 1 2 --now --attempts 0", "reschedule 1 --run-at +1h30m"),
)
@on_jobs(asks=False)
@click.option("--now", is_flag=True, help="Let them run as soon as there is a slot.")
@click.option(
    "--run-at", metavar="TIME", type=a_time, help="Not before: RFC 3339, now, or +5m from now."
)
@click.option(
    "--priority",
    metavar="N",
    type=click.IntRange(SMALLINT.start, _LARGEST),
    help="Lower numbers run first.",
)
@click.option(
    "--attempts",
    metavar="N",
    type=click.IntRange(0, _LARGEST),
    help="How often they count as tried; 0 gives failed jobs all of their attempts again.",
)
@click.option(
    "--max-attempts",
    metavar="N",
    type=click.IntRange(1, _LARGEST),
    help="How often they are tried.",
)
@click.pass_context
def command(context: click.Context, ids: tuple[int, ...], **given: Unpack[Given]) -> None:
    """Change when and how jobs run.

    What is not given stays as it is, the last error too. Jobs that a worker
    holds are left alone, unless it has held them for four hours.
    """
    if given["now"] and given["run_at"] is not None:
        raise click.UsageError("give either --now or --run-at, not both")
    changes = Changed(
        run_at=timedelta(0) if given["now"] else given["run_at"],
        priority=given["priority"],
        attempts=given["attempts"],
        max_attempts=given["max_attempts"],
    )
    if all(value is None for value in changes.values()):
        raise click.UsageError(
            "provide at least one of --now, --run-at, --priority, --attempts, or --max-attempts"
        )
    act = Act("reschedule", "rescheduled", lambda utils, ids: utils.reschedule_jobs(ids, **changes))
    change(Settings.of(context), act, ids, given, asks=False)
