"""What the shell suggests from the database; whatever goes wrong, nothing is suggested."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import click

from graphile_worker.cli.settings import Settings

_SECONDS: Final = 1.0
"""How long a press of the tab key may take, connecting included."""


def suggest_tasks(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Identifiers of tasks: `click.option(shell_complete=suggest_tasks)`."""
    from graphile_worker.cli import suggested_names  # noqa: PLC0415 (a driver)

    return _in_time(lambda: suggested_names.tasks(Settings.of(context), incomplete))


def suggest_queues(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of queues."""
    from graphile_worker.cli import suggested_names  # noqa: PLC0415 (a driver)

    return _in_time(lambda: suggested_names.queues(Settings.of(context), incomplete))


def suggest_worker_ids(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Workers that hold locks."""
    from graphile_worker.cli import suggested_names  # noqa: PLC0415 (a driver)

    return _in_time(lambda: suggested_names.worker_ids(Settings.of(context), incomplete))


def _in_time(ask: Callable[[], list[str]]) -> list[str]:
    """The answer, or nothing; a thread, since looking up a host's name cannot be cancelled."""
    found: list[str] = []

    def work() -> None:
        with suppress(Exception):  # a shell that completes is no place for errors
            found.extend(ask())

    thread = threading.Thread(target=work, name="graphile-worker-suggestions", daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return [] if thread.is_alive() else found
