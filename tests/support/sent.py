"""What a call sends, for calls that must send nothing."""

from __future__ import annotations

from typing import TypeVar

from graphile_worker.database.statement import Statement

T = TypeVar("T")


class Sent:
    """Notes the names of statements, and refuses to answer any."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def run(self, statement: Statement[T]) -> T:
        self.names.append(statement.name)
        raise AssertionError(statement.name)
