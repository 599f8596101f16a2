"""What the commands that pause and resume have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from getpass import getuser
from typing import Any, Final

import click

from graphile_worker.cli.database import with_utils
from graphile_worker.cli.output import instant, one_line, print_json
from graphile_worker.cli.settings import F, Settings
from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.queries.pauses import Pause

FOR_PYTHON: Final = "Python workers"


def by_option(function: F) -> F:
    """`--by NAME`."""
    option = click.option(
        "--by", metavar="NAME", help="Who does it, for others to see. [default: your user name]"
    )
    return option(function)


def who(by: str | None) -> str:
    """The name to leave there."""
    if by is not None:
        return by
    try:
        return getuser()
    except (ImportError, KeyError, OSError):
        return ""  # a container without an entry for its user


def pause(
    context: click.Context, what: str, call: Callable[[WorkerUtils], Awaitable[Pause]]
) -> None:
    """Pause something for the Python workers, and say so."""
    settings = Settings.of(context)
    paused = with_utils(settings, call)
    if settings.json:
        print_json(pause_json(paused))
    else:
        click.echo(f"{FOR_PYTHON} leave {what} alone until it is resumed")


def resume(
    context: click.Context, name: str, what: str, call: Callable[[WorkerUtils], Awaitable[bool]]
) -> None:
    """End such a pause, and say so."""
    settings = Settings.of(context)
    resumed = with_utils(settings, call)
    if settings.json:
        print_json({"name": name, "resumed": resumed})
    elif resumed:
        click.echo(f"{FOR_PYTHON} go on with {what}")
    else:
        click.echo(f"Not paused: {what}")


def pause_json(pause: Pause) -> dict[str, Any]:
    """A pause as `--json` shows it."""
    return {**dataclasses.asdict(pause), "paused_at": instant(pause.paused_at)}


def named(kind: str, name: str) -> str:
    """How messages call a thing."""
    return f"the {kind} `{one_line(name)}`"
