"""`graphile-worker remove`."""

from __future__ import annotations

import click

from graphile_worker.cli.asking import ask, somebody_answers, yes_option
from graphile_worker.cli.database import with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.job_json import job_json
from graphile_worker.cli.output import one_line, print_json
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.jobs.job import Job, JobState


@click.command("remove", cls=Command, epilog=examples("remove weekly-report --yes"))
@click.argument("key", metavar="KEY")
@yes_option
@click.pass_context
def command(context: click.Context, key: str, *, yes: bool) -> None:
    """Remove the job with a key.

    A job that runs cannot be stopped: it loses its key, and is not retried.
    That there is no such job is no failure.
    """
    settings = Settings.of(context)
    if somebody_answers(yes=yes):
        ask(f"Remove the job with key `{one_line(key)}`")
    job = with_utils(settings, lambda utils: utils.remove_job(key))
    if settings.json:
        print_json({"removed_key": key, "job": None if job is None else job_json(job)})
    else:
        click.echo(_told(key, job))


def _told(key: str, job: Job | None) -> str:
    shown = one_line(key)
    if job is None:
        return f"There is no job with key `{shown}`"
    if job.state is JobState.LOCKED:
        return f"Job {job.id} is running: it lost its key `{shown}`, and is not retried"
    return f"Removed job with key `{shown}`"
