"""`graphile-worker history`."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any, Final

import click

from graphile_worker.cli.asking import ask, somebody_answers, yes_option
from graphile_worker.cli.database import with_utils
from graphile_worker.cli.durations import positive_duration
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import print_json, print_rows
from graphile_worker.cli.settings import Command, Group, Settings
from graphile_worker.client.operations.history import HistoryStatus
from graphile_worker.history.options import RUN_LOGS, HistoryConfig

_KEPT: Final = {
    "samples": "how the queue stood, by the minute",
    "minutes": "counts of each task, by the minute",
    "hours": "counts of each task, by the hour",
    "days": "counts of each task, by the day",
    "runs": "attempts of jobs",
}
"""What has a time for which it is kept."""


@click.group(
    "history", cls=Group, epilog=examples("history install", "history status", "history uninstall")
)
def command() -> None:
    """Keep what becomes of jobs, in tables of its own."""


@command.command(
    "install", cls=Command, epilog=examples("history install --run-log all --keep-runs 14d")
)
@click.option(
    "--run-log",
    type=click.Choice(RUN_LOGS),
    help="Which attempts have a row each. [default: failed]",
)
@click.option("--keep-samples", metavar="DURATION", type=positive_duration, help="[default: 30d]")
@click.option("--keep-minutes", metavar="DURATION", type=positive_duration, help="[default: 48h]")
@click.option("--keep-hours", metavar="DURATION", type=positive_duration, help="[default: 30d]")
@click.option("--keep-days", metavar="DURATION", type=positive_duration, help="[default: 400d]")
@click.option("--keep-runs", metavar="DURATION", type=positive_duration, help="[default: 7d]")
@click.pass_context
def install(context: click.Context, /, **given: Any) -> None:
    """Make the tables; Python workers that start from then on write to them.

    Safe to run again: what is given replaces what was said before, which the
    workers see when they start.
    """
    settings = Settings.of(context)
    said = {name: value for name, value in given.items() if value is not None}
    status = with_utils(settings, lambda utils: _install(utils, said))
    _print(settings, status, "History is kept from now on, by workers that start from now on")


@command.command("uninstall", cls=Command, epilog=examples("history uninstall --yes"))
@yes_option
@click.pass_context
def uninstall(context: click.Context, *, yes: bool) -> None:
    """Drop the tables, with all that is in them.

    The schema is then as if there had never been any, unless something is
    paused, or an audit is kept: they have such tables too.
    """
    settings = Settings.of(context)
    if somebody_answers(yes=yes):
        _ask(settings)
    left = with_utils(settings, lambda utils: utils.history.uninstall())
    if settings.json:
        print_json({"uninstalled": True, "left": left})
    else:
        others = f"; tables of other features stay: {', '.join(left)}" if left else ""
        click.echo(f"History is gone{others}")


@command.command("status", cls=Command, epilog=examples("history status --json"))
@click.pass_context
def status(context: click.Context) -> None:
    """Show what is kept, for how long, and how large it is."""
    settings = Settings.of(context)
    _print(settings, with_utils(settings, lambda utils: utils.history.status()), None)


@command.command("prune", cls=Command, epilog=examples("history prune"))
@click.pass_context
def prune(context: click.Context) -> None:
    """Delete what is older than it is to be kept.

    Workers do so every hour.
    """
    settings = Settings.of(context)
    done = with_utils(settings, lambda utils: utils.history.prune())
    if settings.json:
        print_json({"pruned": done})
    else:
        click.echo("Done" if done else "Nothing to do: not installed, or a worker is at it")


def _ask(settings: Settings) -> None:
    found = with_utils(settings, lambda utils: utils.history.status())
    if found is not None:
        sizes = dataclasses.asdict(found.sizes)
        ask("Delete all of the history", [f"{what}: {size} bytes" for what, size in sizes.items()])


async def _install(utils: Any, said: dict[str, Any]) -> HistoryStatus | None:
    """What is not given stays as it was."""
    before: HistoryStatus | None = await utils.history.status()
    config = HistoryConfig() if before is None else before.config
    await utils.history.install(dataclasses.replace(config, **said))
    after: HistoryStatus | None = await utils.history.status()
    return after


def _print(settings: Settings, status: HistoryStatus | None, first: str | None) -> None:
    if settings.json:
        print_json(None if status is None else _json(status))
        return
    if status is None:
        click.echo("History is not installed: graphile-worker history install")
        return
    if first is not None:
        click.echo(first)
    sizes = dataclasses.asdict(status.sizes)
    config = status.config
    size_of = {"samples": sizes["samples"], "minutes": sizes["counts"], "runs": sizes["runs"]}
    rows = [
        [what, _days(config.kept(f"keep_{what}")), size_of.get(what), text]
        for what, text in _KEPT.items()
    ]
    rows[-1][-1] = f"{_KEPT['runs']} ({config.run_log})"
    print_rows(["what", "kept", "bytes", "of"], rows, numbers=("kept", "bytes"))


def _json(status: HistoryStatus) -> dict[str, Any]:
    """Durations in seconds."""
    return {**status.config.settings(), "bytes": dataclasses.asdict(status.sizes)}


def _days(kept: timedelta) -> str:
    return f"{kept / timedelta(days=1):g}d"
