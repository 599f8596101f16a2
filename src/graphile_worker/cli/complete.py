"""`graphile-worker complete`."""

from __future__ import annotations

from typing import Unpack

import click

from graphile_worker.cli.asking import somebody_answers
from graphile_worker.cli.changing import Act, How, change, on_jobs
from graphile_worker.cli.examples import examples
from graphile_worker.cli.settings import Command, Settings

_COMPLETE = Act("complete", "completed", lambda utils, ids: utils.complete_jobs(ids))


@click.command(
    "complete",
    cls=Command,
    epilog=examples("complete 1 2 --dry-run", "complete 1 2 --yes"),
)
@on_jobs(asks=True)
@click.pass_context
def command(context: click.Context, ids: tuple[int, ...], *, yes: bool, **how: Unpack[How]) -> None:
    """Complete jobs: delete them, as if they had run well.

    Jobs that a worker holds are left alone, unless it has held them for four
    hours.
    """
    asks = somebody_answers(yes=yes)
    change(Settings.of(context), _COMPLETE, ids, how, asks=asks)
