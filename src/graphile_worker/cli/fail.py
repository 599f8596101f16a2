"""`graphile-worker fail`."""

from __future__ import annotations

from typing import Unpack

import click

from graphile_worker.cli.changing import Act, How, change, on_jobs
from graphile_worker.cli.examples import examples
from graphile_worker.cli.settings import Command, Settings


@click.command(
    "fail", cls=Command, epilog=examples("fail 1", 'fail 1 2 --reason "the customer has left"')
)
@on_jobs(asks=False)
@click.option(
    "-r",
    "--reason",
    metavar="TEXT",
    help="Becomes their last error. [default: Manually marked as failed]",
)
@click.pass_context
def command(
    context: click.Context, ids: tuple[int, ...], reason: str | None, **how: Unpack[How]
) -> None:
    """Let jobs have failed for good.

    They stay, and have no attempts left; `reschedule --attempts 0` gives them
    all of theirs back. Jobs that a worker holds are left alone, unless it has
    held them for four hours.
    """
    act = Act("fail", "failed", lambda utils, ids: utils.permanently_fail_jobs(ids, reason))
    change(Settings.of(context), act, ids, how, asks=False)
