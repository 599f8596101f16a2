"""Points in time as people type them."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from graphile_worker.cli.durations import duration


def run_at(text: str) -> datetime | timedelta:
    """When a job may run: RFC 3339, `now`, or `+5m` from now on the database's clock.

    A time without a time zone is refused, since nobody could tell which one is meant.
    """
    if text.lower() == "now":
        return timedelta(0)
    if text.startswith("+"):
        return duration(text[1:])
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"`{text}` is neither RFC 3339, nor now, nor like +5m") from None
    if instant.tzinfo is None:
        raise click.BadParameter(f"`{text}` has no time zone; end it with Z for UTC")
    return instant
