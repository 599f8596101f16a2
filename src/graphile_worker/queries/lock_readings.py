"""Locks and names that nobody alive stands behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement
from graphile_worker.queries.loader import load


@dataclass(frozen=True, slots=True)
class LockOwner:
    """An owner of locks on jobs, and what the registry knows of it."""

    worker_id: str | None
    jobs: int
    seconds: float
    """How long its oldest lock has been held."""
    example: int
    """The id of one of the jobs."""
    is_registered: bool
    is_alive: bool
    """Whether it sent a heartbeat within the threshold."""
    old_locks: int
    """Locks older than four hours, which count as none."""
    is_younger: bool
    """Whether it began after it took the oldest of its locks."""


@dataclass(frozen=True, slots=True)
class HeldQueue:
    """A queue that is locked although nobody runs a job of it."""

    queue_name: str
    locked_by: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class UnknownIdentifier:
    """A task that no live worker knows."""

    identifier: str | None
    """None: jobs whose task is not in the table of tasks."""
    jobs: int


def lock_owners(schema: Schema, *, dead_after: float) -> Statement[list[LockOwner]]:
    """All owners of locks on jobs, the oldest locks first; the schema must have a registry."""
    args = (dead_after,)
    return Statement("lock_owners", load("lock_owners", schema), args, _owners)


def held_queues(schema: Schema, *, dead_after: float) -> Statement[list[HeldQueue]]:
    """Queues that nobody alive holds; the schema must have a registry."""
    return Statement("held_queues", load("held_queues", schema), (dead_after,), _queues)


def unknown_identifiers(schema: Schema, *, dead_after: float) -> Statement[list[UnknownIdentifier]]:
    """Tasks that no live worker knows; the schema must have a registry."""
    args = (dead_after,)
    return Statement("unknown_identifiers", load("unknown_identifiers", schema), args, _unknown)


def _owners(rows: Sequence[Row]) -> list[LockOwner]:
    return [LockOwner(*row) for row in rows]


def _queues(rows: Sequence[Row]) -> list[HeldQueue]:
    return [HeldQueue(*row) for row in rows]


def _unknown(rows: Sequence[Row]) -> list[UnknownIdentifier]:
    return [UnknownIdentifier(*row) for row in rows]
