"""`graphile-worker crontab`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Final

import click

from graphile_worker.cli.crontab_file import read_crontab
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import instant, print_json, print_rows
from graphile_worker.cli.settings import Command, Group, Settings
from graphile_worker.cli.texts import filled
from graphile_worker.cron.crontab import Crontab
from graphile_worker.cron.entries import doubts
from graphile_worker.cron.zones import ZoneError, zone_of
from graphile_worker.errors import CrontabError

_FAILED: Final = 1


@click.group("crontab", cls=Group)
def command() -> None:
    """Check crontabs, and see what they mean."""


def _zone(_context: click.Context, _parameter: click.Parameter, name: str) -> tzinfo:
    try:
        return zone_of(name)
    except ZoneError as error:
        raise click.BadParameter(str(error)) from None


def _instant(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    from graphile_worker.cli.instants import run_at  # noqa: PLC0415 (seldom needed)

    found = run_at(text)
    with _within_the_calendar():
        return found if isinstance(found, datetime) else datetime.now(UTC) + found


@contextmanager
def _within_the_calendar() -> Generator[None]:
    """Python's, which only a far `--from` leads out of."""
    try:
        yield
    except OverflowError:
        raise click.BadParameter(
            "leads beyond the years 1 to 9999", param_hint="'--from'"
        ) from None


# -- check ---------------------------------------------------------------------------------------


@command.command(
    "check",
    cls=Command,
    epilog=examples("crontab check crontab", "crontab check crontab --tasks tasks:tasks --strict"),
)
@click.argument("path", metavar="FILE")
@click.option(
    "--tasks",
    "target",
    metavar="MODULE:ATTRIBUTE",
    help="Warn of entries whose task is none of these.",
)
@click.option("--strict", is_flag=True, help="Let warnings fail too.")
@click.pass_context
def check(context: click.Context, path: str, target: str | None, *, strict: bool) -> int:
    """Say what is wrong in a crontab; exit code 1 when something is."""
    as_json = Settings.of(context).json
    try:
        entries = read_crontab(path)
    except CrontabError as error:
        _tell_errors(error, as_json=as_json)
        return _FAILED
    tasks = None if target is None else _tasks(target)
    found = doubts(entries, tasks, datetime.now(UTC))
    _tell_doubts(entries, found, as_json=as_json)
    return _FAILED if found and strict else 0


def _tasks(target: str) -> Collection[str]:
    """The identifiers of the tasks that a target names."""
    from graphile_worker.cli.application import find, options_of  # noqa: PLC0415 (seldom needed)

    found = find(target)
    return list(asyncio.run(options_of(found)).registry())


def _tell_errors(error: CrontabError, *, as_json: bool) -> None:
    if as_json:
        errors = [_error_json(one) for one in error.errors]
        print_json({"entries": 0, "errors": errors, "warnings": []})
        return
    for one in error.errors:
        click.echo(str(one), err=True)
    count = len(error.errors)
    click.echo(f"{count} error{'s' if count > 1 else ''}", err=True)


def _error_json(error: CrontabError) -> dict[str, object]:
    return {
        "line": error.line,
        "column": error.column,
        "message": error.reason,
        "text": error.text,
    }


def _tell_doubts(
    entries: Sequence[Crontab], found: Sequence[tuple[Crontab, str]], *, as_json: bool
) -> None:
    if as_json:
        warnings = [{"identifier": entry.identifier, "message": text} for entry, text in found]
        print_json({"entries": len(entries), "errors": [], "warnings": warnings})
        return
    for entry, text in found:
        click.echo(f"warning: {entry.identifier}: {text}", err=True)
    click.echo(f"{len(entries)} entr{'y' if len(entries) == 1 else 'ies'}, no errors")


# -- next ----------------------------------------------------------------------------------------


@command.command(
    "next", cls=Command, epilog=examples("crontab next crontab --count 3 --tz Europe/Paris")
)
@click.argument("path", metavar="FILE")
@click.option(
    "--count",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Runs of each entry.",
)
@click.option(
    "--tz",
    "zone",
    metavar="ZONE",
    default="UTC",
    show_default=True,
    callback=_zone,
    help="The time zone to show times in; entries keep their own.",
)
@click.option(
    "--from", "start", metavar="TIME", callback=_instant, help="Runs from then on. [default: now]"
)
@click.pass_context
def next_runs(context: click.Context, path: str, count: int, zone: tzinfo, start: datetime) -> None:
    """Show when the entries of a crontab run next."""
    entries = read_crontab(path)
    with _within_the_calendar():
        rows = _next_rows(entries, count, zone, start)
    if Settings.of(context).json:
        keys = ("run_at", "identifier", "task")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        print_rows(("run_at", "identifier", "task"), rows)


def _next_rows(
    entries: Sequence[Crontab], count: int, zone: tzinfo, start: datetime
) -> list[tuple[str | None, str, str]]:
    """In the order of the times; at the end, without one, the entries that never run."""
    runs = sorted(
        (run, number)
        for number, entry in enumerate(entries)
        for run in itertools.islice(entry.runs(start), count)
    )
    never = sorted(set(range(len(entries))) - {number for _, number in runs})
    shown = [(_shown(run, zone), number) for run, number in runs]
    return [
        (time, entries[number].identifier, entries[number].task)
        for time, number in [*shown, *((None, number) for number in never)]
    ]


def _shown(run: datetime, zone: tzinfo) -> str:
    return instant(run) if zone is UTC else run.astimezone(zone).isoformat()


# -- list ----------------------------------------------------------------------------------------


@command.command(
    "list", cls=Command, epilog=examples("crontab list", "crontab list --crontab crontab")
)
@click.argument("target", metavar="[MODULE:ATTRIBUTE]", required=False)
@click.option(
    "--crontab",
    "path",
    metavar="FILE",
    type=filled,
    help="Show the next runs of these entries too.",
)
@click.pass_context
def list_known(context: click.Context, target: str | None, path: str | None) -> None:
    """List the entries that workers of this database ever had.

    With the options of a worker (MODULE:ATTRIBUTE, as for `run`) or a crontab,
    also when theirs run next.
    """
    from graphile_worker.cli.known_crontabs import known_crontabs  # noqa: PLC0415 (the database)

    settings = Settings.of(context)
    entries = [*_entries(target), *(read_crontab(path) if path else ())]
    rows = known_crontabs(settings, entries)
    header = ("identifier", "known_since", "last_execution", "next_run")
    if settings.json:
        print_json(
            [
                {
                    name: instant(value) if isinstance(value, datetime) else value
                    for name, value in zip(header, row, strict=True)
                }
                for row in rows
            ]
        )
    else:
        print_rows(header, rows)


def _entries(target: str | None) -> list[Crontab]:
    if target is None:
        return []
    from graphile_worker.cli.application import find, options_of  # noqa: PLC0415 (seldom needed)

    found = find(target)
    return asyncio.run(options_of(found)).crontabs()
