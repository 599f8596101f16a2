"""The checks of `doctor`, made in transactions that only read and end in time."""

from __future__ import annotations

from typing import TypeVar

from graphile_worker.admin.service.sessions import LONG_SECONDS, Sessions
from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.statement import Statement
from graphile_worker.doctor.examine import examine
from graphile_worker.doctor.finding import Finding
from graphile_worker.queries.admin_samples import settle

T = TypeVar("T")


async def examination(sessions: Sessions, *, only_reads: bool) -> list[Finding]:
    """All findings, also about a schema that is missing, or that nothing else can work with.

    Args:
        sessions: the database.
        only_reads: whether nobody changes anything here, so that the role need not be able to.

    Raises:
        DatabaseError: the database does not answer.
    """
    async with sessions.unchecked() as database:
        return await examine(_ReadOnly(database), sessions.schema, only_reads=only_reads)


class _ReadOnly:
    """A database whose statements cannot change anything, nor take longer than ten seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, statement: Statement[T]) -> T:
        """Send a statement, in a transaction of its own."""
        async with self._database.connection() as connection, connection.transaction():
            await connection.run(settle(read_only=True, milliseconds=int(LONG_SECONDS * 1000)))
            return await connection.run(statement)

    async def dedicated(self, name: str) -> Connection:
        """A connection on which somebody listens."""
        return await self._database.dedicated(name)
