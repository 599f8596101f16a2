"""The course of `watch`: a statement a frame, until somebody has seen enough."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final, Protocol

import click

from graphile_worker.cli.output import dumps, writes_unicode
from graphile_worker.cli.settings import Settings
from graphile_worker.cli.stop import Stop
from graphile_worker.cli.watch_rates import Rates, View, rates
from graphile_worker.client.open_database import open_database
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError, IncompatibleSchemaError
from graphile_worker.migrations.state import check_schema
from graphile_worker.queries.overview import has_registry
from graphile_worker.queries.watch_frame import Frame, watch_frame
from graphile_worker.worker.signals import shutdown_on_signals

_REST: Final = 20
"""A pause is at least so many times as long as the statement took: 5 % of one connection."""
_DUMB: Final = {"dumb", "unknown"}
"""Terminals whose cursor cannot be moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What was asked for."""

    settings: Settings
    once: bool
    interval: float


class Display(Protocol):
    """Shows a view."""

    def show(self, view: View) -> None:
        """Show it in place of the one before, or below it."""
        ...


def run_watch(watch: Watch) -> int:
    """Run it; the exit code.

    Raises:
        SchemaMissingError: there is no schema.
        IncompatibleSchemaError: it has no registry of workers.
        DatabaseError: the first frame could not be had; later ones are tried again.
    """
    return asyncio.run(_run(watch))


async def _run(watch: Watch) -> int:
    stop = Stop()
    with shutdown_on_signals(stop, stop):
        try:
            await _watch(watch)
        except asyncio.CancelledError:
            if not stop.asked:
                raise
    return 0


async def _watch(watch: Watch) -> None:
    settings = watch.settings
    schema = Schema(settings.schema)
    database = await open_database(settings.database_url, max_connections=1)
    try:
        await _check(database, schema)
        frames = _Frames(database, schema)
        await frames.look()
        with _display(watch) as display:
            display.show(frames.view)
            while not watch.once:
                await asyncio.sleep(max(watch.interval, _REST * frames.took))
                await frames.look_again()
                display.show(frames.view)
    finally:
        await database.aclose()


async def _check(database: Database, schema: Schema) -> None:
    await check_schema(database, schema)
    if not await database.run(has_registry(schema)):
        raise IncompatibleSchemaError(
            f"the schema {schema.name!r} has no registry of workers, as Node.js makes it; this "
            "adds it, and leaves the rest as it is: "
            f"graphile-worker --schema {shlex.quote(schema.name)} migrate",
        )


class _Frames:
    """The last frame, what the one before makes of it, and what went wrong since."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self.took = 0.0
        self._database = database
        self._schema = schema
        self._frame: Frame | None = None
        self._rates: Rates | None = None
        self._lost_since: float | None = None
        self._error = ""

    @property
    def view(self) -> View:
        """What there is to show."""
        assert self._frame is not None  # noqa: S101 (`look` comes first)
        lost = None if self._lost_since is None else time.monotonic() - self._lost_since
        return View(
            schema=self._schema.name,
            frame=self._frame,
            rates=self._rates,
            lost_for=lost,
            error=self._error,
        )

    async def look(self) -> None:
        """Have a frame.

        Raises:
            DatabaseError: there is none to be had.
        """
        started = time.monotonic()
        frame = await self._database.run(watch_frame(self._schema))
        self.took = time.monotonic() - started
        self._rates = None if self._frame is None else rates(self._frame, frame)
        self._frame, self._lost_since = frame, None

    async def look_again(self) -> None:
        """Have the next frame, or keep the last one and say for how long."""
        try:
            await self.look()
        except DatabaseError as error:
            self._lost_since = self._lost_since or time.monotonic()
            self._error = str(error)


@contextmanager
def _display(watch: Watch) -> Generator[Display]:
    if watch.settings.json:
        yield _Json(pretty=watch.once)
        return
    from graphile_worker.cli.watch_view import live, printed  # noqa: PLC0415 (rich)

    moves = sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in _DUMB
    if watch.once or not moves:
        yield printed()
        return
    with live() as display:
        yield display


class _Json:
    """A frame a line, or one in full."""

    def __init__(self, *, pretty: bool) -> None:
        self._pretty = pretty

    def show(self, view: View) -> None:
        told = asdict(view.frame) | {
            "rates": None if view.rates is None else asdict(view.rates),
            "lost_for_seconds": view.lost_for,
        }
        if self._pretty:
            click.echo(dumps(told))
        else:
            click.echo(json.dumps(told, ensure_ascii=not writes_unicode()))
