"""`graphile-worker remove`."""

from __future__ import annotations

import click

from graphile_worker.cli.asking import ask, dry_run_option, somebody_answers, yes_option
from graphile_worker.cli.database import ask_database, with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.job_json import job_brief, job_json
from graphile_worker.cli.output import one_line, print_json
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.jobs.job import Job, JobState
from graphile_worker.queries.manage_jobs import job_with_key


@click.command(
    "remove",
    cls=Command,
    epilog=examples("remove weekly-report --dry-run", "remove weekly-report --yes"),
)
@click.argument("key", metavar="KEY")
@dry_run_option
@yes_option
@click.pass_context
def command(context: click.Context, key: str, *, dry_run: bool, yes: bool) -> None:
    """Remove the job with a key.

    A job that runs cannot be stopped: it loses its key, and is not retried.
    That there is no such job is no failure.
    """
    settings = Settings.of(context)
    if dry_run:
        job = _look(settings, key)
    else:
        if somebody_answers(yes=yes):
            _ask(settings, key)
        job = with_utils(settings, lambda utils: utils.remove_job(key))
    if settings.json:
        found = None if job is None else job_json(job)
        print_json({"removed_key": key, "job": found, "dry_run": dry_run})
    else:
        click.echo(_told(key, job, dry_run=dry_run))


def _look(settings: Settings, key: str) -> Job | None:
    job_id = ask_database(settings, lambda schema: job_with_key(schema, key))
    return None if job_id is None else with_utils(settings, lambda utils: utils.get_job(job_id))


def _ask(settings: Settings, key: str) -> None:
    job = _look(settings, key)
    if job is not None:
        ask(f"Remove the job with key `{one_line(key)}`", [job_brief(job)])


def _told(key: str, job: Job | None, *, dry_run: bool) -> str:
    shown = one_line(key)
    if job is None:
        return f"There is no job with key `{shown}`"
    is_running = job.state is JobState.LOCKED
    if dry_run and is_running:
        return f"Job {job.id} is running: it would lose its key `{shown}`, and not be retried"
    if dry_run:
        return f"Would remove job {job_brief(job)}"
    if is_running:
        return f"Job {job.id} is running: it lost its key `{shown}`, and is not retried"
    return f"Removed job with key `{shown}`"
