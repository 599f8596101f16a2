"""Statements on a psycopg connection that the caller owns."""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg

from graphile_worker.database.statement import Statement
from graphile_worker.drivers.notes import noted
from graphile_worker.drivers.psycopg_cursor import fetch, fetch_sync

T = TypeVar("T")


class BorrowedPsycopg:
    """An executor on a caller's asynchronous connection."""

    def __init__(self, raw: psycopg.AsyncConnection[Any]) -> None:
        self._raw = raw

    async def run(self, statement: Statement[T]) -> T:
        """Send the statement in whatever transaction the caller has open."""
        with noted(statement):
            rows = await fetch(self._raw, statement)
        return statement.decode(rows)


class BorrowedSyncPsycopg:
    """An executor on a caller's connection."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self._raw = raw

    def run(self, statement: Statement[T]) -> T:
        """Send the statement in whatever transaction the caller has open."""
        with noted(statement):
            rows = fetch_sync(self._raw, statement)
        return statement.decode(rows)
