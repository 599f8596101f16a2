"""psycopg's pools: one connection out of the caller's, for a while."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import psycopg_pool

from graphile_worker.drivers.adopted import AdoptedDatabase, AdoptedSyncDatabase
from graphile_worker.drivers.psycopg_connection import PsycopgConnection
from graphile_worker.drivers.psycopg_errors import DRIVER_ERRORS, ours
from graphile_worker.drivers.psycopg_sync import SyncPsycopgConnection
from graphile_worker.errors import ConnectionLostError, DatabaseError

ACQUIRE_SECONDS: Final = 30.0
"""How long to wait for a free connection: for ever would hide a pool that waits for itself."""


def over_pool(pool: psycopg_pool.AsyncConnectionPool[Any]) -> AdoptedDatabase:
    """A database over a pool that the caller owns and closes."""

    async def take() -> PsycopgConnection:
        try:
            raw = await pool.getconn(ACQUIRE_SECONDS)
        except psycopg_pool.PoolTimeout as error:
            raise none_free(pool) from error
        except DRIVER_ERRORS as error:
            raise ours(error) from error
        return await PsycopgConnection.take(raw, partial(pool.putconn, raw))

    return AdoptedDatabase(take)


def over_sync_pool(pool: psycopg_pool.ConnectionPool[Any]) -> AdoptedSyncDatabase:
    """The same without an event loop."""
    return AdoptedSyncDatabase(partial(take_sync, pool))


def take_sync(pool: psycopg_pool.ConnectionPool[Any]) -> SyncPsycopgConnection:
    """One connection out of a pool; closing gives it back."""
    try:
        raw = pool.getconn(ACQUIRE_SECONDS)
    except psycopg_pool.PoolTimeout as error:
        raise none_free(pool) from error
    except DRIVER_ERRORS as error:
        raise ours(error) from error
    return SyncPsycopgConnection.take(raw, partial(pool.putconn, raw))


def none_free(
    pool: psycopg_pool.AsyncConnectionPool[Any] | psycopg_pool.ConnectionPool[Any],
) -> DatabaseError:
    """The error for a pool that gave no connection in time: all are in use, or none can be made."""
    stats = pool.get_stats()
    if stats.get("connections_errors", 0):
        return ConnectionLostError(
            f"no connection could be opened within {ACQUIRE_SECONDS:g} s; psycopg's log says why"
        )
    return DatabaseError(
        f"none of the {pool.max_size} connections became free within {ACQUIRE_SECONDS:g} s; allow "
        "more of them, or hold them for less time"
    )
