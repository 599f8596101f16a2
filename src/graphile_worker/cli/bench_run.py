"""The course of `bench`: a scratch schema, measurements, and the schema's end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import click

from graphile_worker.cli.bench_measure import Measurements, Spread
from graphile_worker.cli.output import print_json
from graphile_worker.cli.settings import Settings
from graphile_worker.cli.stop import Stop
from graphile_worker.client.open_database import open_database, url_of
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError
from graphile_worker.migrations.runner import migrate
from graphile_worker.queries.server_readings import server_reading
from graphile_worker.worker.signals import shutdown_on_signals

_INTERRUPTED: Final = 130
_PREFIX: Final = "gw_bench_"
_REMOVED_WITHIN: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What was asked for."""

    settings: Settings
    jobs: int
    concurrency: int
    job_seconds: float


def run_bench(bench: Bench) -> int:
    """Run it; the exit code.

    Raises:
        DatabaseError: it could not be done, or the scratch schema not be removed.
    """
    return asyncio.run(_run(bench))


async def _run(bench: Bench) -> int:
    stop = Stop()
    with shutdown_on_signals(stop, stop):
        try:
            await _measure(bench)
        except asyncio.CancelledError:
            if not stop.asked:
                raise
            return _INTERRUPTED
    return 0


async def _measure(bench: Bench) -> None:
    settings = bench.settings
    database = await open_database(settings.database_url, max_connections=2)
    try:
        server = await database.run(server_reading())
        async with _scratch_schema(database, quiet=settings.json) as schema:
            measurements = Measurements(
                url=url_of(database) or settings.database_url or "",
                schema=schema.name,
                jobs=bench.jobs,
                concurrency=bench.concurrency,
                job_seconds=bench.job_seconds,
            )
            results: dict[str, Any] = {
                "server": f"PostgreSQL {server.version}",
                "jobs": bench.jobs,
                "concurrency": bench.concurrency,
                "job_seconds": bench.job_seconds,
            }
            async for name, value in measurements.take():
                results[name] = value.as_json() if isinstance(value, Spread) else value
                if not settings.json:
                    click.echo(f"  {_LABELS[name]:<36}{_text(value)}")
    finally:
        await database.aclose()
    if settings.json:
        print_json(results)


_LABELS: Final = {
    "adding_one": "adding one job at a time",
    "adding_per_second": "adding many at once",
    "running_per_second": "running",
    "running_with_local_queue_per_second": "running with the local queue",
    "latency": "from adding to starting, when idle",
}


def _text(value: Spread | float) -> str:
    if isinstance(value, Spread):
        return (
            f"{value.median * 1000:.1f} ms, 95 of 100 within {value.p95 * 1000:.1f} ms, "
            f"99 within {value.p99 * 1000:.1f} ms"
        )
    return f"{value:,.0f} jobs/s"


@asynccontextmanager
async def _scratch_schema(database: Database, *, quiet: bool) -> AsyncGenerator[Schema]:
    """A migrated schema that nobody else has, and that is gone afterwards."""
    schema = Schema(_PREFIX + secrets.token_hex(6))
    if not quiet:
        click.echo(f"In the scratch schema {schema.name}, which is removed afterwards:\n")
    try:
        await migrate(database, schema)
        yield schema
    finally:
        # Also while this task is being cancelled: a second signal does not cut it short.
        removal = asyncio.ensure_future(_remove(database, schema))
        while not removal.done():
            try:
                await asyncio.shield(removal)
            except asyncio.CancelledError:
                continue
        removal.result()


async def _remove(database: Database, schema: Schema) -> None:
    try:
        async with asyncio.timeout(_REMOVED_WITHIN), database.connection() as connection:
            await connection.script(f"drop schema if exists {schema.quoted} cascade")
    except (DatabaseError, TimeoutError) as error:
        raise DatabaseError(
            f"the scratch schema could not be removed ({error}); do it by hand: "
            f"drop schema {schema.quoted} cascade"
        ) from error
