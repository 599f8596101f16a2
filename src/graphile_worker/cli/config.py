"""`graphile-worker config`."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final, cast

import click

from graphile_worker.cli.application import find, options_of
from graphile_worker.cli.output import print_json, print_rows
from graphile_worker.cli.run_flags import is_given, merge
from graphile_worker.cli.run_options import PREFIX, run_options, target_argument
from graphile_worker.cli.settings import Command, Group, Layer, Settings
from graphile_worker.drivers.redact import redact
from graphile_worker.worker.options import WorkerOptions

_HEADER: Final = ("option", "value", "from")
_URLS: Final = frozenset({"database_url", "direct_database_url"})
_OF_THE_COMMAND: Final = {"loop": "auto", "log_level": "info", "log_format": "text", "processes": 1}
"""Option → default, of options that are nothing to `WorkerOptions`."""


@click.group("config", cls=Group)
def command() -> None:
    """See which options hold, and who says so."""


@command.command("show", cls=Command, params=[target_argument(), *run_options()])
@click.pass_context
def show(context: click.Context, target: str | None) -> None:
    """Print each option of `run` with its value and where that is said.

    Takes what `run` takes. Without MODULE:ATTRIBUTE the user's code has no say. Passwords are not
    shown.
    """
    settings = Settings.of(context)
    code = WorkerOptions() if target is None else asyncio.run(options_of(find(target)))
    rows = list(_rows(code, settings, target))
    if settings.json:
        print_json([dict(zip(("option", "value", "from"), row, strict=True)) for row in rows])
        return
    print_rows(
        ("option", "value", "from"), [(name, _cell(value), who) for name, value, who in rows]
    )


def _rows(code: WorkerOptions, settings: Settings, target: str | None) -> Iterator[Any]:
    effective = _effective(merge(code, settings))
    names = ["database_url", "schema", *(str(option.name) for option in run_options())]
    for name in names:
        value = effective[name] if name in effective else settings.option(name)
        source = _source(name, code, settings, target)
        if value is None and source == "default":
            value = _OF_THE_COMMAND.get(name)
        yield name, _plain(name, value), source


def _effective(options: WorkerOptions) -> dict[str, Any]:
    """The values of a worker by the names of the options."""
    shutdown, recovery, queue = (
        options.shutdown_config(),
        options.recovery_config(),
        options.local_queue,
    )
    delay = queue and queue.refetch_delay
    return {
        **{field.name: getattr(options, field.name) for field in dataclasses.fields(options)},
        "crontab": [crontab.identifier for crontab in options.crontabs()],
        "shutdown_grace_period": shutdown.grace_period,
        "shutdown_interrupted_job_retry_delay": shutdown.interrupted_job_retry_delay,
        **dataclasses.asdict(recovery),
        "recovery": recovery.enabled,
        "history": options.history is not False,
        "local_queue": queue is not None,
        "local_queue_size": queue and queue.size,
        "local_queue_ttl": queue and queue.ttl,
        "local_queue_count": queue and queue.queue_count,
        "refetch_delay": delay and delay.duration,
        "refetch_delay_threshold": delay and delay.threshold,
        "refetch_delay_max_abort_threshold": delay and delay.max_abort_threshold,
    }


def _source(name: str, code: WorkerOptions, settings: Settings, target: str | None) -> str:
    if _says(settings.flags, name):
        return "flag"
    if is_given(code, name):
        return f"code: {target}"
    if _says(settings.environment, name):
        return f"environment: {_variable(name)}"
    if _says(settings.file, name):
        return f"file: {settings.path}"
    return "default"


def _says(layer: Layer, name: str) -> bool:
    if name == "max_pg_conn" and layer.max_connections is not None:
        return True
    return name in layer.options or getattr(layer, name, None) is not None


def _variable(name: str) -> str:
    return "DATABASE_URL" if name == "database_url" else f"{PREFIX}{name.upper()}"


def _plain(name: str, value: Any) -> Any:
    """As JSON has it: durations as seconds, connection strings without their secrets."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    if name in _URLS and value is not None:
        return "(asked of a function)" if callable(value) else redact(str(value))
    if isinstance(value, tuple | frozenset):
        return [str(each) for each in cast("Iterable[object]", value)]
    return value


def _cell(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(cast("list[str]", value)) or None
    return None if value is None else str(value)
