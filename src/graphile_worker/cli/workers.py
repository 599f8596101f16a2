"""`graphile-worker workers`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from graphile_worker.cli.database import with_utils
from graphile_worker.cli.durations import positive_duration
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import plain, print_json, print_rows
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.client.operations.looking import STALE_AFTER
from graphile_worker.client.worker_utils import WorkerUtils

_HEADER = ("worker_id", "locked_jobs", "locked_queues", "heartbeat", "last_heartbeat_at")


@click.command("workers", cls=Command, epilog=examples("workers", "workers --all --stale-after 2m"))
@click.option("--all", "show_all", is_flag=True, help="Also workers that hold nothing.")
@click.option(
    "--stale-after",
    metavar="DURATION",
    type=positive_duration,
    default=f"{STALE_AFTER.total_seconds() / 60:g}m",
    show_default=True,
    help="How long a worker is silent that counts as stale.",
)
@click.pass_context
def command(context: click.Context, *, show_all: bool, stale_after: timedelta) -> None:
    """List the workers that hold jobs or queues.

    By id. Where a worker registered itself also whether it is still heard of:
    `live` or `stale`. Others, as those of Node.js, register nothing.
    """
    settings = Settings.of(context)
    found = with_utils(settings, lambda utils: workers_of(utils, stale_after, show_all=show_all))
    if settings.json:
        print_json([plain(worker) for worker in found])
        return
    rows = [tuple(worker[name] for name in _HEADER) for worker in found]
    print_rows(_HEADER, rows, numbers=("locked_jobs", "locked_queues"), nothing="No workers")


async def workers_of(
    utils: WorkerUtils, stale_after: timedelta, *, show_all: bool
) -> list[dict[str, Any]]:
    """What is known of each worker that holds something, or of all, in the order of their ids.

    Args:
        utils: where to look.
        stale_after: how long a worker is silent that counts as stale.
        show_all: also registered workers that hold nothing.
    """
    holders = {worker.worker_id: worker for worker in await utils.locked_workers()}
    registered = {
        worker.worker_id: worker for worker in await utils.list_active_workers(stale_after)
    }
    found: list[dict[str, Any]] = []
    for worker_id in sorted(holders.keys() | (registered.keys() if show_all else ())):
        holder, known = holders.get(worker_id), registered.get(worker_id)
        found.append(
            {
                "worker_id": worker_id,
                "locked_jobs": holder.locked_jobs if holder else 0,
                "locked_queues": holder.locked_queues if holder else 0,
                "heartbeat": known and ("stale" if known.is_stale else "live"),
                "last_heartbeat_at": known and known.last_heartbeat_at,
                "started_at": known and known.started_at,
                "metadata": known and known.metadata,
            }
        )
    return found
