"""Statements on an asyncpg connection that the caller owns."""

from __future__ import annotations

from typing import Any, TypeVar

from graphile_worker.database.statement import Statement
from graphile_worker.drivers.notes import check_loop, noted

T = TypeVar("T")


class BorrowedAsyncpg:
    """An executor on a caller's connection, or on a pool's proxy of one."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    async def run(self, statement: Statement[T]) -> T:
        """Send the statement in whatever transaction the caller has open."""
        # asyncpg would send the statement, and then fail to wait for its answer.
        check_loop(getattr(self._raw, "_loop", None))
        with noted(statement):
            rows = await self._raw.fetch(statement.text, *statement.args)
        return statement.decode(rows)
