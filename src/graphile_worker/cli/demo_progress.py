"""How the demo shows where it stands: a live display on a terminal, else a line a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

import click

from graphile_worker.cli.demo_standing import Standing


class Progress(Protocol):
    """Shows a standing."""

    def show(self, standing: Standing) -> None:
        """Show it, if it is time to."""
        ...


@contextmanager
def progress() -> Generator[Progress]:
    """The way of showing that suits stdout."""
    if not sys.stdout.isatty():
        yield Lines()
        return
    from graphile_worker.cli.demo_live import live  # noqa: PLC0415 (rich)

    with live() as display:
        yield display


class Lines:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._next = time.monotonic() + 1

    def show(self, standing: Standing) -> None:
        """One line a second."""
        if time.monotonic() < self._next:
            return
        self._next += 1
        stats = standing.stats
        click.echo(
            f"{standing.seconds:5.1f} s  {standing.done:,} of {standing.total:,} done, "
            f"{standing.per_second:,.0f}/s  (ready {stats.ready:,}, scheduled {stats.scheduled:,}, "
            f"locked {stats.locked:,}, failed {stats.failed:,})"
        )
