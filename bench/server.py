"""One durable PostgreSQL for a whole run, and a fresh database for each measurement.

A database is copied from a template that holds the tables and the jobs, so that every measurement
finds the same: no dead rows of the one before, and the same statistics. Copying files ends with a
checkpoint, so none is owed either.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

import asyncpg
import psutil
from chaos.server import Server

LOG = "log/postgresql.log"
"""In the server's data folder."""

Make = Callable[[str], Awaitable[None]]
"""Makes the tables and jobs of a template, given its URL."""


class BenchServer:
    """PostgreSQL with its defaults, fsync and all, but for `shared_buffers`.

    There is room for more connections, and a log that can be read; neither makes it quicker.
    """

    def __init__(self, shared_buffers: str) -> None:
        self._server = Server(
            {
                "shared_buffers": shared_buffers,
                "max_connections": "400",
                "logging_collector": "on",
                "log_directory": "log",
                "log_filename": "postgresql.log",
            }
        )
        self._numbers = itertools.count(1)
        self._templates: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        # Two are enough for what is measured side by side.
        self._admin = await asyncpg.create_pool(self._server.url, min_size=1, max_size=2)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._admin.close()
        await self._server.__aexit__(*exception)

    @property
    def process(self) -> psutil.Process:
        """The process that all others of the server come from."""
        return psutil.Process(self._server.pid)

    def url(self, database: str) -> str:
        return self._server.url.replace("/postgres?", f"/{database}?")

    async def version(self) -> str:
        return str(await self._admin.fetchval("show server_version"))

    async def wal_position(self) -> int:
        """Bytes of WAL written since the server was made."""
        return int(await self._admin.fetchval("select pg_current_wal_lsn() - '0/0'"))

    async def log(self) -> str:
        """What the server logged since its start."""
        return str(await self._admin.fetchval("select pg_read_file($1)", LOG))

    async def execute(self, statement: str) -> None:
        """Run a statement outside of the databases that are measured."""
        await self._admin.execute(statement)

    async def template(self, name: str, make: Make) -> str:
        """The name of a template, made when it is asked for the first time."""
        if name not in self._templates:
            database = f"template_{name}"
            await self._admin.execute(f"create database {database}")
            await make(self.url(database))
            await self._settle(database)
            self._templates[name] = database
        return self._templates[name]

    @asynccontextmanager
    async def copy(self, template: str) -> AsyncGenerator[Database]:
        """A database with what the template holds, dropped in the end."""
        name = f"run_{next(self._numbers)}"
        await self._admin.execute(f"create database {name} template {template} strategy file_copy")
        try:
            connection = await asyncpg.connect(self.url(name))
            try:
                yield Database(name, self.url(name), connection, self._admin)
            finally:
                await connection.close()
        finally:
            await self._admin.execute(f"drop database {name} with (force)")

    async def _settle(self, database: str) -> None:
        connection = await asyncpg.connect(self.url(database))
        await connection.execute("vacuum (analyze)")
        await connection.close()
        await self._admin.execute("checkpoint")


@dataclass
class Database:
    """One to measure in.

    Attributes:
        connection: a look from outside, in the same database; it counts its own commits.
    """

    name: str
    url: str
    connection: asyncpg.Connection
    _admin: asyncpg.Pool
    own_commits: int = field(default=0)

    async def count(self, statement: str) -> int:
        """Ask a count, and remember that the question was a commit too."""
        self.own_commits += 1
        return int(await self.connection.fetchval(statement))

    async def statistics(self) -> tuple[int, int]:
        """Commits and dead tuples since the database was made, when all others have left it.

        Every updated or deleted row is a dead tuple, whether or not vacuum has been there.
        """
        await self._wait_left()
        self.own_commits += 1
        dead = await self.connection.fetchval(
            "select sum(n_tup_upd + n_tup_del) from pg_stat_user_tables"
        )
        commits = await self._admin.fetchval(
            "select xact_commit from pg_stat_database where datname = $1", self.name
        )
        return int(commits), int(dead or 0)

    async def _wait_left(self) -> None:
        """Sessions hand in their figures as they end."""
        others = (
            "select count(*) from pg_stat_activity where datname = $1 and pid <> $2"
            " and backend_type = 'client backend'"
        )
        own = self.connection.get_server_pid()
        async with asyncio.timeout(30):
            while await self._admin.fetchval(others, self.name, own):
                await asyncio.sleep(0.01)
