"""The commands there are, each imported only when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

from graphile_worker.cli.settings import global_options

COMMANDS: Final = {
    "migrate": ("migrate", "Create the schema, or bring it to the newest revision."),
    "add": ("add", "Add a job."),
    "list": ("list_jobs", "List jobs."),
    "show": ("show", "Show one job."),
    "complete": ("complete", "Complete jobs: delete them, as if they had run well."),
    "fail": ("fail", "Let jobs have failed for good."),
    "reschedule": ("reschedule", "Change when and how jobs run."),
    "remove": ("remove", "Remove the job with a key."),
    "stats": ("stats", "Count the jobs by state."),
    "queues": ("queues", "List the queues."),
    "workers": ("workers", "List the workers that hold jobs or queues."),
    "cleanup": ("cleanup", "Delete what nobody needs any more."),
    "force-unlock": ("force_unlock", "Unlock the jobs and queues that dead workers hold."),
    "sweep-stale-workers": ("sweep", "Free the jobs of workers that fell silent."),
    "run": ("run", "Run a worker."),
    "config": ("config", "See which options hold, and who says so."),
    "doctor": ("doctor", "Check the deployment, and say how to mend what is wrong."),
    "watch": ("watch", "Watch the jobs and the workers, live."),
    "bench": ("bench", "Measure how fast jobs are added and run on this database."),
    "admin": ("admin", "Serve the admin page and its API."),
    "crontab": ("crontab", "Check crontabs, and see what they mean."),
    "queue": ("queue", "Pause and resume named queues, for workers of every kind."),
    "task": ("task", "Pause and resume tasks, for the Python workers."),
    "cron": ("cron", "Pause and resume recurring jobs, for the Python workers."),
    "pause": ("pause", "Pause all jobs, for the Python workers."),
    "resume": ("resume", "End the pause of all jobs."),
    "paused": ("paused", "List what is paused."),
    "history": ("history", "Keep what becomes of jobs, in tables of its own."),
    "completion": ("completion", "Print a script that completes commands in a shell."),
    "demo": ("demo", "See a worker at work, on a PostgreSQL that comes along."),
}
"""Name → module and first line of the help, so that `--help` imports no command."""


class Commands(click.Group):
    """The group `graphile-worker`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.params.extend(global_options(after_command=False))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a newcomer needs them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"graphile_worker.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A command by its name; where there is none like that, the one that may be meant."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            from difflib import get_close_matches  # noqa: PLC0415 (only here)

            if close := get_close_matches(args[0], COMMANDS, n=1):
                ctx.fail(f"No such command {args[0]!r}; did you mean {close[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    """Answer `--version`; the metadata is slow to import, so nobody else pays for it."""
    if not value or context.resilient_parsing:
        return
    from importlib.metadata import version  # noqa: PLC0415

    click.echo(f"graphile-worker {version('graphile-worker')}")
    context.exit()


_VERSION: Final = click.Option(
    ["--version"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)

commands = Commands(
    name="graphile-worker",
    help="Durable background jobs on PostgreSQL. Begin with: graphile-worker demo",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[_VERSION],
)
