"""Points in time as people type them."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from graphile_worker.cli.durations import parse_duration


def parse_instant(text: str) -> datetime | timedelta:
    """A time, or how long after now on the database's clock.

    A time without a time zone is refused, since nobody could tell which one is meant.

    Raises:
        ValueError: it is neither RFC 3339, nor `now`, nor like `+5m`.
    """
    if text.lower() == "now":
        return timedelta(0)
    if text.startswith("+"):
        return parse_duration(text[1:])
    try:
        # RFC 3339 allows lower case, which Python does not.
        instant = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(f"`{text}` is neither RFC 3339, nor now, nor like +5m") from None
    if instant.tzinfo is None:
        raise ValueError(f"`{text}` has no time zone; end it with Z for UTC")
    return instant


def run_at(text: str) -> datetime | timedelta:
    """When a job may run, on the command line: `click.option(type=run_at)`."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
