"""A pool that the caller owns becomes a `Database`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from graphile_worker.database.executor import Database
from graphile_worker.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncpg

    Pool: TypeAlias = asyncpg.Pool[Any]


def adopt(pool: object) -> Database:
    """A database over a pool that the caller owns and closes.

    Raises:
        ConfigurationError: it is not a kind of pool we know.
    """
    import asyncpg  # noqa: PLC0415 (the library of the pool at hand, and no other)

    from graphile_worker.drivers.asyncpg import AsyncpgDatabase  # noqa: PLC0415

    if _is_pool(pool, asyncpg.Pool):
        return AsyncpgDatabase.over_pool(pool)
    raise ConfigurationError(
        f"database must be an asyncpg pool, got {type(pool).__qualname__}; for a URL: database_url="
    )


def _is_pool(pool: object, kind: type[Pool]) -> TypeGuard[Pool]:
    return isinstance(pool, kind)
