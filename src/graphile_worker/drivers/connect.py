"""The way in: a URL becomes a `Database`."""

from __future__ import annotations

from datetime import timedelta

from graphile_worker.database.executor import Database
from graphile_worker.drivers.dsn import resolve


async def connect(
    url: str,
    *,
    max_connections: int = 20,
    prepared_statements: bool = True,
    wait: timedelta | None = None,
) -> Database:
    """Open a database and make sure that it answers."""
    # Imported here so that reading a URL, or using a database of another kind, needs no asyncpg.
    from graphile_worker.drivers.asyncpg import AsyncpgDatabase  # noqa: PLC0415
    from graphile_worker.drivers.opening import Opener  # noqa: PLC0415

    del wait
    opener = Opener(resolve(url), prepared_statements=prepared_statements)
    return await AsyncpgDatabase.open(opener, max_connections)
