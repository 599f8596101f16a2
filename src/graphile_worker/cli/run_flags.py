"""Laying what files, variables and flags say of a worker below and above the user's code."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from graphile_worker.cli.crontab_file import read_crontab
from graphile_worker.cli.settings import Layer, Settings
from graphile_worker.errors import ConfigurationError
from graphile_worker.local_queue.options import LocalQueueConfig, RefetchDelayConfig
from graphile_worker.worker.options import WorkerOptions

_FIELDS: Final = (
    *("database_url", "schema", "concurrency", "poll_interval", "max_pg_conn"),
    *("forbidden_flags", "complete_job_batch_delay", "fail_job_batch_delay"),
    *("thread_workers", "process_workers", "use_notification_delivery", "use_local_time"),
    *("prepared_statements", "direct_database_url", "wait_for_database", "hook_timeout"),
    *("listen", "listen_beyond_loopback", "claim_mode"),
)
"""Options that are called like the fields of `WorkerOptions` that they set."""

_SHUTDOWN: Final = {
    "shutdown_grace_period": "grace_period",
    "shutdown_interrupted_job_retry_delay": "interrupted_job_retry_delay",
}
"""Option → field of `WorkerOptions.shutdown`; the same for the others."""

_SIGNALS: Final = ("listen_os_shutdown_signals", "shutdown_signal")

_SINGLE_RECOVERY: Final = (
    "heartbeat_interval",
    "sweep_interval",
    "sweep_threshold",
    "recovery_delay",
)

_RECOVERY: Final = {
    **{name: name for name in _SINGLE_RECOVERY},
    "recover_orphans": "recover_orphans",
    "recovery": "enabled",
}

_LOCAL_QUEUE: Final = {
    "local_queue_size": "size",
    "local_queue_ttl": "ttl",
    "local_queue_count": "queue_count",
}

_REFETCH_DELAY: Final = {
    "refetch_delay": "duration",
    "refetch_delay_threshold": "threshold",
    "refetch_delay_max_abort_threshold": "max_abort_threshold",
}

_SETTLED_BY: Final[dict[str, tuple[str, ...]]] = {
    "database_url": ("database",),
    **dict.fromkeys(_SHUTDOWN, ("shutdown",)),
    **dict.fromkeys(_RECOVERY, ("recovery",)),
    **dict.fromkeys([*_LOCAL_QUEUE, *_REFETCH_DELAY], ("local_queue",)),
}
"""Option → fields that, where the code gives them, say this option too."""


def is_given(options: WorkerOptions, name: str) -> bool:
    """Whether the user's code says this option, so that only a flag may say otherwise."""
    return bool(options.given & {name, *_SETTLED_BY.get(name, ())})


def merge(options: WorkerOptions, settings: Settings) -> WorkerOptions:
    """File and environment below, flags above what the user's code says.

    The command line handles the signals, from before the worker connects until after it closed.

    Raises:
        ConfigurationError: the result makes no sense.
    """
    said = _said(options, settings)
    changes: dict[str, Any] = {name: said[name] for name in _FIELDS if name in said}
    if "history" in said:
        # On, where the code says off, is as it was installed.
        changes["history"] = (options.history or None) if said["history"] else False
    if "database_url" in changes:
        changes["database"] = None
    if "crontab" in said:
        entries = [entry for path in said["crontab"] for entry in read_crontab(path)]
        changes["crons"] = (*options.crons, *entries)
    # What these say together they say alone once it is merged.
    changes |= dict.fromkeys([*_SIGNALS, *_SHUTDOWN, *_SINGLE_RECOVERY])
    changes["shutdown"] = dataclasses.replace(
        options.shutdown_config(), listen_os_shutdown_signals=False, **_fields(said, _SHUTDOWN)
    )
    changes["recovery"] = dataclasses.replace(options.recovery_config(), **_fields(said, _RECOVERY))
    changes["local_queue"] = _local_queue(options.local_queue, said)
    return dataclasses.replace(options, **changes)


def _said(options: WorkerOptions, settings: Settings) -> dict[str, Any]:
    """What is said from outside, as far as it counts."""
    below = _over(_values(settings.file), _values(settings.environment))
    left_open = {name: value for name, value in below.items() if not is_given(options, name)}
    return _over(left_open, _values(settings.flags))


def _over(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """Both layers; whether there is a local queue at all is the upper one's to say."""
    parts = {*_LOCAL_QUEUE, *_REFETCH_DELAY}
    gone = parts if upper.get("local_queue") is False else set[str]()
    if upper.keys() & parts:
        gone = {"local_queue"}
    return {**{name: lower[name] for name in lower.keys() - gone}, **upper}


def _values(layer: Layer) -> dict[str, Any]:
    outside = {
        "database_url": layer.database_url,
        "schema": layer.schema,
        "max_pg_conn": layer.max_connections,
    }
    return {
        **{name: value for name, value in outside.items() if value is not None},
        **layer.options,
    }


def _fields(said: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {field: said[option] for option, field in names.items() if option in said}


def _local_queue(code: LocalQueueConfig | None, said: Mapping[str, Any]) -> LocalQueueConfig | None:
    """What the code says, with the options laid over; any of them asks for a local queue."""
    queue, delay = _fields(said, _LOCAL_QUEUE), _fields(said, _REFETCH_DELAY)
    if said.get("local_queue") is False:
        if queue or delay:
            raise ConfigurationError(
                "--no-local-queue and options of a local queue exclude each other"
            )
        return None
    if not queue and not delay and not said.get("local_queue"):
        return code
    code = code or LocalQueueConfig()
    if delay:
        queue["refetch_delay"] = dataclasses.replace(
            code.refetch_delay or RefetchDelayConfig(), **delay
        )
    return dataclasses.replace(code, **queue)
