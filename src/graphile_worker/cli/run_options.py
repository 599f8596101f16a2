"""The options of `run`: each a flag, a variable `GRAPHILE_WORKER_…` and a key of the file."""

from __future__ import annotations

from typing import Any, Final

import click

from graphile_worker.cli.durations import duration, positive_duration
from graphile_worker.cli.logs import FORMATS, LEVELS
from graphile_worker.cli.loop import LOOPS
from graphile_worker.cli.said import remember
from graphile_worker.cli.sizes import size
from graphile_worker.cli.texts import filled

PREFIX: Final = "GRAPHILE_WORKER_"


class RunOption(click.Option):
    """An option that a variable may set too; `Settings.of` has what was said."""

    def __init__(self, name: str, *flags: str, **attributes: Any) -> None:
        super().__init__(
            [name, *flags],
            envvar=f"{PREFIX}{name.upper()}",
            expose_value=False,
            callback=remember,
            default=None,
            **attributes,
        )

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """What to name where its value is wrong: the variable, if it is that one's."""
        hint = super().get_error_hint(ctx)
        value = None if ctx is None else self.value_from_envvar(ctx)
        return f"{hint} or {self.envvar}" if value else hint


class Listed(click.ParamType):  # type: ignore[type-arg] # not generic in all versions
    """One of several texts; in a variable they stand with commas between them."""

    name = "text"
    envvar_list_splitter = ","

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text without the space around it."""
        text = str(value).strip()
        return text or self.fail("must not be empty", param, ctx)


def target_argument() -> click.Argument:
    """`MODULE:ATTRIBUTE`, where the user's code is."""
    return click.Argument(
        ["target"], metavar="[MODULE:ATTRIBUTE]", required=False, callback=_checked_target
    )


def _checked_target(
    _context: click.Context, _parameter: click.Parameter, target: str | None
) -> str | None:
    if target is None:
        return None
    module, _, attribute = target.rpartition(":")
    if not module or not attribute:
        raise click.BadParameter(f"`{target}`: write MODULE:ATTRIBUTE, for example tasks:tasks")
    return target


def run_options() -> list[click.Option]:
    """All of them, in the order of the help."""
    return [*_of_the_worker(), *_of_dying(), *_of_the_processes()]


def _number(name: str, *flags: str, help: str, least: int = 1) -> click.Option:  # noqa: A002
    kind = click.IntRange(min=least)
    return RunOption(name, *flags, _flag(name), metavar="N", type=kind, help=help)


def _duration(name: str, *flags: str, help: str, zero: bool = False) -> click.Option:  # noqa: A002
    kind = duration if zero else positive_duration
    return RunOption(name, *flags, _flag(name), metavar="DURATION", type=kind, help=help)


def _switch(name: str, off: str, help: str) -> click.Option:  # noqa: A002
    return RunOption(name, f"{_flag(name)}/--{off}", help=help)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _of_the_worker() -> list[click.Option]:
    return [
        _number("concurrency", "-c", help="Jobs run at once."),
        _duration(
            "poll_interval",
            help="How long an idle worker waits before it looks unasked: 500ms, 5s, 2m.",
        ),
        _number("max_pg_conn", help="The most connections of a process; at least 5."),
        RunOption(
            "forbidden_flags",
            "--forbidden-flag",
            metavar="FLAG",
            multiple=True,
            type=Listed(),
            help="Leave jobs with this flag to other workers; may be repeated.",
        ),
        RunOption(
            "crontab",
            "--crontab",
            metavar="FILE",
            multiple=True,
            type=Listed(),
            help="Recurring jobs, besides those of the options; may be repeated.",
        ),
        RunOption(
            "tasks_dir",
            "--tasks-dir",
            metavar="FOLDER",
            type=filled,
            help="Programs in there are tasks, named like their files.",
        ),
        _number("local_queue_size", help="Claim so many jobs ahead, to wait here for a slot."),
        _duration(
            "local_queue_ttl", help="How long a job claimed ahead may wait before it goes back."
        ),
        _number("local_queue_count", help="Multiplies --local-queue-size."),
        _switch("local_queue", "no-local-queue", "Claim jobs ahead, or none."),
        _duration(
            "refetch_delay",
            help="Pause after a claim that brought next to nothing; needs a local queue.",
        ),
        _number(
            "refetch_delay_threshold", least=0, help="So many jobs, or fewer, are next to nothing."
        ),
        _number(
            "refetch_delay_max_abort_threshold",
            help="So many new jobs end the pause at the latest.",
        ),
        RunOption(
            "claim_mode",
            "--claim-mode",
            type=click.Choice(("lock", "transaction")),
            help="How a claim is kept; transaction: for many tiny jobs that may run twice.",
        ),
        _duration(
            "complete_job_batch_delay",
            zero=True,
            help="How long a completion may wait for others, to be stored with them.",
        ),
        _duration("fail_job_batch_delay", zero=True, help="The same for failures."),
        _duration(
            "shutdown_grace_period",
            zero=True,
            help="How long running jobs have to end once the worker stops.",
        ),
        _duration(
            "shutdown_interrupted_job_retry_delay",
            "--interrupted-job-retry-delay",
            zero=True,
            help="When an interrupted job may run again.",
        ),
        _number("thread_workers", help="Threads for plain functions."),
        _number("process_workers", help='Processes for executor="process".'),
        _switch("use_notification_delivery", "no-notification-delivery", "LISTEN, or only poll."),
        _switch(
            "use_local_time",
            "no-use-local-time",
            "Let this machine's clock say what is due, or the database's.",
        ),
        _switch("prepared_statements", "no-prepared-statements", "Off: for poolers without them."),
        RunOption(
            "direct_database_url",
            "--direct-database-url",
            metavar="URL",
            type=filled,
            help="Where to LISTEN, if --database-url leads to a pooler.",
        ),
        _duration(
            "wait_for_database",
            zero=True,
            help="Wait so long for a database that does not answer yet.",
        ),
        _duration("hook_timeout", help="How long each handler of an event may take."),
        RunOption(
            "listen",
            "--listen",
            metavar="HOST:PORT",
            help="Serve /healthz, /readyz and /metrics there.",
        ),
        _switch(
            "listen_beyond_loopback",
            "listen-on-loopback",
            "Let other machines reach --listen, or only this one.",
        ),
    ]


def _of_dying() -> list[click.Option]:
    return [
        _duration("heartbeat_interval", help="How often to say that this worker is alive."),
        _duration("sweep_interval", help="How often to look for workers that died."),
        _duration("sweep_threshold", help="How long a worker is silent that counts as dead."),
        _duration("recovery_delay", zero=True, help="When a job of a dead worker may run again."),
        _switch(
            "recover_orphans",
            "no-recover-orphans",
            "Also take locks of owners that never registered, as Node.js workers.",
        ),
        _switch("recovery", "no-recovery", "Look for dead workers, or leave them to others."),
        _switch("history", "no-history", "Record history where it is installed, or nothing."),
    ]


def _of_the_processes() -> list[click.Option]:
    return [
        _number("processes", help="Run so many workers, each in a process. [default: 1]"),
        _number(
            "max_jobs_per_process", help="Replace a process after so many jobs; with --processes."
        ),
        RunOption(
            "max_memory_per_process",
            "--max-memory-per-process",
            metavar="SIZE",
            type=size,
            help="Replace a process that holds more: 512MB, 1GiB; with --processes.",
        ),
        RunOption(
            "loop", "--loop", type=click.Choice(LOOPS), help="The event loop. [default: auto]"
        ),
        RunOption("log_level", "--log-level", type=click.Choice(LEVELS), help="[default: info]"),
        RunOption(
            "log_format",
            "--log-format",
            type=click.Choice(tuple(FORMATS)),
            help="Of a line on stderr. [default: text]",
        ),
        _switch("log_events", "no-log-events", "Log what goes well too."),
    ]
