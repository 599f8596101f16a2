"""`graphile-worker paused`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import click

from graphile_worker.cli.database import with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import print_json, print_rows
from graphile_worker.cli.pausing import pause_json
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.client.operations.pausing import Paused


@click.command("paused", cls=Command, epilog=examples("paused", "paused --json"))
@click.pass_context
def command(context: click.Context) -> None:
    """List what is paused."""
    settings = Settings.of(context)
    paused = with_utils(settings, lambda utils: utils.paused())
    if settings.json:
        everything = paused.everything and pause_json(paused.everything)
        print_json(
            {
                "everything": everything,
                "queues": [dataclasses.asdict(queue) for queue in paused.queues],
                "tasks": [pause_json(pause) for pause in paused.tasks],
                "crons": [pause_json(pause) for pause in paused.crons],
            }
        )
        return
    rows = _rows(paused)
    if not rows and sys.stdout.isatty():
        click.echo("Nothing is paused")
    else:
        print_rows(["what", "name", "by", "since", "running"], rows)


def _rows(paused: Paused) -> Sequence[Sequence[object]]:
    """One for each pause; the running jobs of a queue that is to go on after them."""
    rows: list[Sequence[object]] = []
    if paused.everything is not None:
        rows.append(["all", None, paused.everything.paused_by, paused.everything.paused_at, None])
    for queue in paused.queues:
        what = "queue (resuming)" if queue.is_resuming else "queue"
        running = ", ".join(map(str, queue.running)) or None
        rows.append([what, queue.queue_name, queue.paused_by, None, running])
    for what, pauses in (("task", paused.tasks), ("cron", paused.crons)):
        rows += [[what, p.name, p.paused_by, p.paused_at, None] for p in pauses]
    return rows
