"""What a client sends its statements over, made of whatever the caller has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard, TypeVar

from graphile_worker.database.executor import Database, Executor, SyncDatabase, SyncExecutor
from graphile_worker.drivers.adopt import adopt, adopt_sync
from graphile_worker.drivers.borrowed import executor_for, sync_executor_for
from graphile_worker.errors import ConfigurationError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """Where statements go.

    Attributes:
        executor: sends them.
        database: the same, where it is a pool, on which we make transactions of our own; None for
            a connection of the caller's, in whatever transaction it is.
    """

    executor: Executor
    database: Database | None


@dataclass(frozen=True, slots=True)
class SyncTarget:
    """The same without an event loop."""

    executor: SyncExecutor
    database: SyncDatabase | None


def bind(thing: object) -> Target:
    """Over a database of ours, or a pool, an engine, a session or a connection of the caller's.

    Raises:
        ConfigurationError: it is none that we know.
    """
    if _is_database(thing):
        return Target(thing, thing)
    if _is_executor(thing):
        return Target(thing, None)
    try:
        database = adopt(thing)
    except ConfigurationError as no_pool:
        return Target(_connection(executor_for, thing, no_pool), None)
    return Target(database, database)


def bind_sync(thing: object) -> SyncTarget:
    """The same without an event loop.

    Raises:
        ConfigurationError: it is none that we know.
    """
    if _is_sync_database(thing):
        return SyncTarget(thing, thing)
    if _is_sync_executor(thing):
        return SyncTarget(thing, None)
    try:
        database = adopt_sync(thing)
    except ConfigurationError as no_pool:
        return SyncTarget(_connection(sync_executor_for, thing, no_pool), None)
    return SyncTarget(database, database)


def _connection(make: Callable[[object], T], thing: object, no_pool: ConfigurationError) -> T:
    try:
        return make(thing)
    except ConfigurationError as no_connection:
        raise ConfigurationError(f"{no_connection}. As a pool: {no_pool}") from None


def _is_database(thing: object) -> TypeGuard[Database]:
    return hasattr(type(thing), "run") and hasattr(type(thing), "dedicated")


def _is_executor(thing: object) -> TypeGuard[Executor]:
    return hasattr(type(thing), "run")


def _is_sync_database(thing: object) -> TypeGuard[SyncDatabase]:
    return hasattr(type(thing), "run") and hasattr(type(thing), "connection")


def _is_sync_executor(thing: object) -> TypeGuard[SyncExecutor]:
    return hasattr(type(thing), "run")
