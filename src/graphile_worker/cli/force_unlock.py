"""`graphile-worker force-unlock`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import click

from graphile_worker.cli.asking import ask, dry_run_option, somebody_answers, yes_option
from graphile_worker.cli.database import with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import one_line, print_json, warn
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.cli.suggestions import suggest_worker_ids
from graphile_worker.client.worker_utils import WorkerUtils


@dataclass(frozen=True, slots=True)
class _Worker:
    """What unlocking would free, and whether it is safe to."""

    worker_id: str
    locked_jobs: int
    locked_queues: int
    is_alive: bool
    """Whether it was heard of within five minutes; False also of those that never register."""

    def __str__(self) -> str:
        holds = f"{self.locked_jobs} job(s), {self.locked_queues} queue(s)"
        return f"{one_line(self.worker_id)}: {holds}{', is alive' if self.is_alive else ''}"


@click.command(
    "force-unlock",
    cls=Command,
    epilog=examples("force-unlock worker-1 worker-2 --dry-run", "force-unlock worker-1 --yes"),
)
@click.argument(
    "worker_ids", metavar="WORKER…", nargs=-1, required=True, shell_complete=suggest_worker_ids
)
@dry_run_option
@yes_option
@click.pass_context
def command(
    context: click.Context, worker_ids: tuple[str, ...], *, dry_run: bool, yes: bool
) -> None:
    """Unlock the jobs and queues that dead workers hold.

    What a living worker runs would run a second time. Attempts stay counted.
    `workers` shows who holds what; `sweep-stale-workers` finds out by itself
    who is dead.
    """
    settings = Settings.of(context)
    found = with_utils(settings, lambda utils: _look(utils, worker_ids))
    if dry_run:
        _tell_dry_run(settings, found)
        return
    _warn_of_living(settings, found)
    if somebody_answers(yes=yes):
        ask(f"Unlock {len(found)} worker id(s)", [str(worker) for worker in found])
    with_utils(settings, lambda utils: utils.force_unlock_workers(worker_ids))
    if settings.json:
        print_json({"unlocked_workers": list(worker_ids)})
    else:
        click.echo(f"Unlocked {len(worker_ids)} worker id(s)")


async def _look(utils: WorkerUtils, worker_ids: Sequence[str]) -> list[_Worker]:
    holders = {worker.worker_id: worker for worker in await utils.locked_workers()}
    alive = {
        worker.worker_id for worker in await utils.list_active_workers() if not worker.is_stale
    }
    return [
        _Worker(
            worker_id,
            holders[worker_id].locked_jobs if worker_id in holders else 0,
            holders[worker_id].locked_queues if worker_id in holders else 0,
            worker_id in alive,
        )
        for worker_id in dict.fromkeys(worker_ids)
    ]


def _tell_dry_run(settings: Settings, found: Sequence[_Worker]) -> None:
    if settings.json:
        workers = [dataclasses.asdict(worker) for worker in found]
        print_json({"unlocked_workers": [], "dry_run": True, "workers": workers})
        return
    for worker in found:
        click.echo(f"Would unlock {worker}")


def _warn_of_living(settings: Settings, found: Sequence[_Worker]) -> None:
    alive = [worker.worker_id for worker in found if worker.is_alive]
    if alive:
        warn(
            f"{', '.join(map(one_line, alive))}: heard of within the last 5 minutes; "
            "what a living worker runs will run a second time",
            as_json=settings.json,
            alive=alive,
        )
