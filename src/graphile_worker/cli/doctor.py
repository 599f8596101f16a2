"""`graphile-worker doctor`."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from typing import Any, Final

import click

from graphile_worker.cli.durations import positive_duration
from graphile_worker.cli.examples import examples
from graphile_worker.cli.output import one_line, print_json, print_rows, writes_unicode
from graphile_worker.cli.run_options import run_options
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.doctor.finding import Finding, Level, plural

_FAILED: Final = 1
_DEFAULT_GRACE: Final = timedelta(seconds=5)

_MARKS: Final = {
    Level.OK: ("✓", "ok", "green"),
    Level.WARNING: ("!", "!!", "yellow"),
    Level.PROBLEM: ("✗", "NO", "red"),
}


@click.command("doctor", cls=Command, epilog=examples("doctor", "doctor --json"))
@click.option(
    "--stop-timeout",
    metavar="DURATION",
    type=positive_duration,
    envvar="GRAPHILE_WORKER_STOP_TIMEOUT",
    help="After which time whoever stops the worker kills it. [default: asks systemd]",
)
@click.pass_context
def command(context: click.Context, stop_timeout: timedelta | None) -> int:
    """Check the deployment, and say how to mend what is wrong.

    Exit code 1 when there is a problem; warnings alone are 0. Run it where the
    workers run: it also looks at this machine's clock and at what stops them.
    """
    from graphile_worker.cli.doctor_readings import findings_of, stop_reading  # noqa: PLC0415
    from graphile_worker.doctor.shutdown import shutdown  # noqa: PLC0415

    settings = Settings.of(context)
    said: timedelta | None = settings.option("shutdown_grace_period")
    grace = _DEFAULT_GRACE if said is None else said
    found = asyncio.run(findings_of(settings, settings.option("direct_database_url")))
    found.append(shutdown(stop_reading(os.environ, grace, stop_timeout)))
    if settings.json:
        print_json(_json(found))
    elif sys.stdout.isatty():
        _print(found)
    else:
        rows = [(f.level.value, f.check, f.message, f.remedy) for f in found]
        print_rows(["level", "check", "message", "remedy"], rows)
    return _FAILED if _count(found, Level.PROBLEM) else 0


command.params.extend(
    option
    for option in run_options()
    if option.name in {"direct_database_url", "shutdown_grace_period"}
)
"""The same flags, variables and keys of the file as the workers are started with."""


def _json(found: list[Finding]) -> dict[str, Any]:
    return {
        "problems": _count(found, Level.PROBLEM),
        "warnings": _count(found, Level.WARNING),
        "checks": [
            {
                "check": finding.check,
                "level": finding.level.value,
                "message": finding.message,
                "remedy": finding.remedy,
                "items": list(finding.items),
            }
            for finding in found
        ],
    }


def _print(found: list[Finding]) -> None:
    """A line for each check; below what is not well, how to mend it."""
    width = max(len(finding.check) for finding in found)
    for finding in found:
        sign, plain, colour = _MARKS[finding.level]
        mark = click.style(sign if writes_unicode() else plain, fg=colour, bold=True)
        click.echo(f"{mark} {finding.check:<{width}}  {one_line(finding.message)}")
        if finding.remedy:
            click.echo(click.style(f"  {'':<{width}}  → {one_line(finding.remedy)}", dim=True))
    problems, warnings = _count(found, Level.PROBLEM), _count(found, Level.WARNING)
    click.echo(f"\n{plural(problems, 'problem')}, {plural(warnings, 'warning')}")


def _count(found: list[Finding], level: Level) -> int:
    return sum(finding.level is level for finding in found)
