"""`graphile-worker cleanup`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import click

from graphile_worker.cli.asking import ask, dry_run_option, somebody_answers, yes_option
from graphile_worker.cli.database import with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import print_json
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.client.operations.cleaning import CleanupTask

_NAMES: Final = {
    CleanupTask.DELETE_PERMANENTLY_FAILED_JOBS: "DeletePermanentlyFailedJobs",
    CleanupTask.GC_TASK_IDENTIFIERS: "GcTaskIdentifiers",
    CleanupTask.GC_JOB_QUEUES: "GcJobQueues",
}
"""As scripts for the Rust program know them."""

_THINGS: Final = {
    CleanupTask.DELETE_PERMANENTLY_FAILED_JOBS: "failed job(s)",
    CleanupTask.GC_TASK_IDENTIFIERS: "task identifier(s)",
    CleanupTask.GC_JOB_QUEUES: "queue(s)",
}


@click.command(
    "cleanup", cls=Command, epilog=examples("cleanup --dry-run", "cleanup gc-job-queues --yes")
)
@click.argument(
    "names",
    metavar="[TASK]…",
    nargs=-1,
    type=click.Choice([task.value for task in CleanupTask]),
)
@dry_run_option
@yes_option
@click.pass_context
def command(context: click.Context, names: tuple[str, ...], *, dry_run: bool, yes: bool) -> None:
    """Delete what nobody needs any more.

    TASK may be repeated; by default all are done: delete-permanently-failed-jobs
    (jobs without attempts left), gc-task-identifiers (of tasks that have no jobs
    and that no live worker knows), gc-job-queues (queues without jobs that are not
    locked).
    """
    settings = Settings.of(context)
    tasks = tuple(CleanupTask(name) for name in names) or tuple(CleanupTask)
    if not dry_run and somebody_answers(yes=yes):
        _ask(settings, tasks)
    deleted = with_utils(settings, lambda utils: utils.cleanup(tasks, dry_run=dry_run))
    if settings.json:
        print_json(
            {
                "cleanup_tasks": [_NAMES[task] for task in deleted],
                "deleted": {task.value: count for task, count in deleted.items()},
                "dry_run": dry_run,
            }
        )
    elif dry_run:
        click.echo(f"Would delete {_counted(deleted)}")
    else:
        click.echo(f"Cleanup complete: deleted {_counted(deleted)}")


def _ask(settings: Settings, tasks: Sequence[CleanupTask]) -> None:
    found = with_utils(settings, lambda utils: utils.cleanup(tasks, dry_run=True))
    if any(found.values()):
        ask(f"Delete {_counted(found)}")


def _counted(counts: Mapping[CleanupTask, int]) -> str:
    return ", ".join(f"{count} {_THINGS[task]}" for task, count in counts.items())
