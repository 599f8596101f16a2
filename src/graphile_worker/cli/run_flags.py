"""The flags of `run`, and laying them over the options in the user's code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypedDict

import click

from graphile_worker.cli.crontab_file import read_crontab
from graphile_worker.cli.durations import duration, positive_duration
from graphile_worker.cli.settings import DEFAULT_SCHEMA, F, Settings
from graphile_worker.errors import ConfigurationError
from graphile_worker.local_queue.options import LocalQueueConfig, RefetchDelayConfig
from graphile_worker.worker.options import WorkerOptions

_SHUTDOWN_FIELDS: Final = (
    "listen_os_shutdown_signals",
    "shutdown_signal",
    "shutdown_grace_period",
    "shutdown_interrupted_job_retry_delay",
)
"""What `WorkerOptions.shutdown` says too, and says alone once it is merged."""

_RECOVERY_FIELDS: Final = (
    "heartbeat_interval",
    "sweep_interval",
    "sweep_threshold",
    "recovery_delay",
)
"""The same for `WorkerOptions.recovery`."""


_LOCAL_QUEUE: Final = {
    "local_queue_size": "size",
    "local_queue_ttl": "ttl",
    "local_queue_count": "queue_count",
}
"""Flag → field of `LocalQueueConfig`."""

_REFETCH_DELAY: Final = {
    "refetch_delay": "duration",
    "refetch_delay_threshold": "threshold",
    "refetch_delay_max_abort_threshold": "max_abort_threshold",
}
"""Flag → field of `RefetchDelayConfig`."""


class RunFlags(TypedDict):
    """Every flag; None, False or () where it was not given."""

    concurrency: int | None
    poll_interval: timedelta | None
    max_pg_conn: int | None
    forbidden_flag: tuple[str, ...]
    crontab: tuple[str, ...]
    local_queue_size: int | None
    local_queue_ttl: timedelta | None
    local_queue_count: int | None
    no_local_queue: bool
    refetch_delay: timedelta | None
    refetch_delay_threshold: int | None
    refetch_delay_max_abort_threshold: int | None
    complete_job_batch_delay: timedelta | None
    fail_job_batch_delay: timedelta | None
    shutdown_grace_period: timedelta | None
    interrupted_job_retry_delay: timedelta | None
    thread_workers: int | None
    process_workers: int | None
    no_notification_delivery: bool
    use_local_time: bool
    no_prepared_statements: bool
    direct_database_url: str | None
    wait_for_database: timedelta | None
    hook_timeout: timedelta | None
    listen: str | None
    listen_beyond_loopback: bool
    heartbeat_interval: timedelta | None
    sweep_interval: timedelta | None
    sweep_threshold: timedelta | None
    recovery_delay: timedelta | None
    recover_orphans: bool
    no_recovery: bool
    no_history: bool


_COUNT: Final = click.IntRange(min=1)

_OPTIONS: Final[list[Callable[[Any], Any]]] = [
    click.option("-c", "--concurrency", metavar="N", type=_COUNT, help="Jobs run at once."),
    click.option(
        "--poll-interval",
        metavar="DURATION",
        type=positive_duration,
        help="How long an idle worker waits before it looks unasked: 500ms, 5s, 2m.",
    ),
    click.option(
        "--max-pg-conn", metavar="N", type=_COUNT, help="The most connections; at least 5."
    ),
    click.option(
        "--forbidden-flag",
        metavar="FLAG",
        multiple=True,
        help="Leave jobs with this flag to other workers; may be repeated.",
    ),
    click.option(
        "--crontab",
        metavar="FILE",
        multiple=True,
        help="Recurring jobs, besides those of the options; may be repeated.",
    ),
    click.option(
        "--local-queue-size",
        metavar="N",
        type=_COUNT,
        help="Claim so many jobs ahead, to wait here for a slot.",
    ),
    click.option(
        "--local-queue-ttl",
        metavar="DURATION",
        type=positive_duration,
        help="How long a job claimed ahead may wait before it goes back.",
    ),
    click.option(
        "--local-queue-count", metavar="N", type=_COUNT, help="Multiplies --local-queue-size."
    ),
    click.option("--no-local-queue", is_flag=True, help="Claim no job ahead."),
    click.option(
        "--refetch-delay",
        metavar="DURATION",
        type=positive_duration,
        help="Pause after a claim that brought next to nothing; needs a local queue.",
    ),
    click.option(
        "--refetch-delay-threshold",
        metavar="N",
        type=click.IntRange(min=0),
        help="So many jobs, or fewer, are next to nothing.",
    ),
    click.option(
        "--refetch-delay-max-abort-threshold",
        metavar="N",
        type=_COUNT,
        help="So many new jobs end the pause at the latest.",
    ),
    click.option(
        "--complete-job-batch-delay",
        metavar="DURATION",
        type=duration,
        help="How long a completion may wait for others, to be stored with them.",
    ),
    click.option(
        "--fail-job-batch-delay",
        metavar="DURATION",
        type=duration,
        help="The same for failures.",
    ),
    click.option(
        "--shutdown-grace-period",
        metavar="DURATION",
        type=duration,
        help="How long running jobs have to end once the worker stops.",
    ),
    click.option(
        "--interrupted-job-retry-delay",
        metavar="DURATION",
        type=duration,
        help="When an interrupted job may run again.",
    ),
    click.option("--thread-workers", metavar="N", type=_COUNT, help="Threads for plain functions."),
    click.option(
        "--process-workers", metavar="N", type=_COUNT, help='Processes for executor="process".'
    ),
    click.option("--no-notification-delivery", is_flag=True, help="Poll only, do not LISTEN."),
    click.option(
        "--use-local-time", is_flag=True, help="Let this machine's clock say what is due."
    ),
    click.option("--no-prepared-statements", is_flag=True, help="For poolers without them."),
    click.option(
        "--direct-database-url",
        metavar="URL",
        help="Where to LISTEN, if --database-url leads to a pooler.",
    ),
    click.option(
        "--wait-for-database",
        metavar="DURATION",
        type=duration,
        help="Wait so long for a database that does not answer yet.",
    ),
    click.option(
        "--hook-timeout",
        metavar="DURATION",
        type=positive_duration,
        help="How long each handler of an event may take.",
    ),
    click.option(
        "--listen", metavar="HOST:PORT", help="Serve /healthz, /readyz and /metrics there."
    ),
    click.option(
        "--listen-beyond-loopback", is_flag=True, help="Let other machines reach --listen."
    ),
    click.option(
        "--heartbeat-interval",
        metavar="DURATION",
        type=positive_duration,
        help="How often to say that this worker is alive.",
    ),
    click.option(
        "--sweep-interval",
        metavar="DURATION",
        type=positive_duration,
        help="How often to look for workers that died.",
    ),
    click.option(
        "--sweep-threshold",
        metavar="DURATION",
        type=positive_duration,
        help="How long a worker is silent that counts as dead.",
    ),
    click.option(
        "--recovery-delay",
        metavar="DURATION",
        type=duration,
        help="When a job of a dead worker may run again.",
    ),
    click.option(
        "--recover-orphans",
        is_flag=True,
        help="Also take locks of owners that never registered, as Node.js workers.",
    ),
    click.option("--no-recovery", is_flag=True, help="Leave dead workers to other workers."),
    click.option(
        "--no-history", is_flag=True, help="Record nothing, also where history is installed."
    ),
]


def run_flags(function: F) -> F:
    """Give a command every flag of `RunFlags`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def merge(options: WorkerOptions, settings: Settings, flags: RunFlags) -> WorkerOptions:
    """Environment below, flags above what the user's code says.

    The command line handles the signals, from before the worker connects until after it closed.

    Raises:
        ConfigurationError: the result makes no sense.
    """
    changes = {
        **_from_environment(options, settings),
        **_from_global_flags(settings),
        **_from_flags(flags),
    }
    if flags["crontab"]:
        entries = [entry for path in flags["crontab"] for entry in read_crontab(path)]
        changes["crons"] = (*options.crons, *entries)
    if "database_url" in changes:
        changes["database"] = None
    changes |= dict.fromkeys(_SHUTDOWN_FIELDS)
    changes["shutdown"] = dataclasses.replace(
        options.shutdown_config(),
        listen_os_shutdown_signals=False,
        **_given(
            grace_period=flags["shutdown_grace_period"],
            interrupted_job_retry_delay=flags["interrupted_job_retry_delay"],
        ),
    )
    changes |= dict.fromkeys(_RECOVERY_FIELDS)
    changes["recovery"] = dataclasses.replace(
        options.recovery_config(),
        **_given(**{name: flags[name] for name in _RECOVERY_FIELDS}),
        **_given(
            recover_orphans=flags["recover_orphans"] or None,
            enabled=False if flags["no_recovery"] else None,
        ),
    )
    changes["local_queue"] = _local_queue(options.local_queue, flags)
    return dataclasses.replace(options, **changes)


def _local_queue(said: LocalQueueConfig | None, flags: RunFlags) -> LocalQueueConfig | None:
    """What the code says, with the flags laid over; any of them asks for a local queue."""
    queue = _given(**{field: flags[flag] for flag, field in _LOCAL_QUEUE.items()})  # type: ignore[literal-required]
    delay = _given(**{field: flags[flag] for flag, field in _REFETCH_DELAY.items()})  # type: ignore[literal-required]
    if flags["no_local_queue"]:
        if queue or delay:
            raise ConfigurationError(
                "--no-local-queue and flags of a local queue exclude each other"
            )
        return None
    if not queue and not delay:
        return said
    said = said or LocalQueueConfig()
    if delay:
        queue["refetch_delay"] = dataclasses.replace(
            said.refetch_delay or RefetchDelayConfig(), **delay
        )
    return dataclasses.replace(said, **queue)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _from_environment(options: WorkerOptions, settings: Settings) -> dict[str, Any]:
    """What the code leaves open. A schema that equals the default counts as left open."""
    said = settings.environment
    connects = options.database_url is not None or options.database is not None
    return _given(
        database_url=None if connects else said.database_url,
        schema=said.schema if options.schema == DEFAULT_SCHEMA else None,
    )


def _from_global_flags(settings: Settings) -> dict[str, Any]:
    said = settings.flags
    return _given(
        database_url=said.database_url, schema=said.schema, max_pg_conn=said.max_connections
    )


def _from_flags(flags: RunFlags) -> dict[str, Any]:
    return _given(
        concurrency=flags["concurrency"],
        poll_interval=flags["poll_interval"],
        max_pg_conn=flags["max_pg_conn"],
        forbidden_flags=flags["forbidden_flag"] or None,
        complete_job_batch_delay=flags["complete_job_batch_delay"],
        fail_job_batch_delay=flags["fail_job_batch_delay"],
        thread_workers=flags["thread_workers"],
        process_workers=flags["process_workers"],
        use_notification_delivery=False if flags["no_notification_delivery"] else None,
        use_local_time=True if flags["use_local_time"] else None,
        prepared_statements=False if flags["no_prepared_statements"] else None,
        direct_database_url=flags["direct_database_url"],
        wait_for_database=flags["wait_for_database"],
        hook_timeout=flags["hook_timeout"],
        history=False if flags["no_history"] else None,
        listen=flags["listen"],
        listen_beyond_loopback=True if flags["listen_beyond_loopback"] else None,
    )
