"""Databases for tests: a fresh one for each, copied from one that is migrated already."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import tempfile
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.embedded.server import EmbeddedPostgres
from graphile_worker.embedded.throwaway import IN_MEMORY, throwaway_folder
from graphile_worker.migrations.runner import migrate

VARIABLE: Final = "GRAPHILE_WORKER_TEST_DATABASE_URL"
"""Names the server to make the databases on; its role must be allowed to make them."""

_PREFIX: Final = "gw_test_"
_DEFAULT: Final = Schema("graphile_worker")


class DatabaseServer:
    """A server on which tests make their databases.

    Example:
        with open_server() as server:
            url = await server.create_migrated()
            ...
            await server.drop(url)

    Attributes:
        url: of the database the others are made from; leave it as it is.
        embedded: the embedded server this is; None when it is one that was there already.
    """

    def __init__(self, url: str, embedded: EmbeddedPostgres | None = None) -> None:
        self.url = url
        self.embedded = embedded
        self._templates: dict[Schema, str] = {}

    async def create(self, *, template: str = "template1") -> str:
        """Make a database, and answer its URL; some 20 ms.

        Args:
            template: the name of the database to copy, to which nobody may be connected.
        """
        name = _PREFIX + secrets.token_hex(6)
        await self._command(f'create database "{name}" template "{template}"')
        return database_url(self.url, name)

    async def create_migrated(self, schema: Schema = _DEFAULT) -> str:
        """Make a database with our schema in it; the first one also makes the template."""
        template = self._templates.get(schema)
        if template is None:
            url = await self.create()
            database = await connect(url, max_connections=1)
            try:
                await migrate(database, schema)
            finally:
                await database.aclose()
            template = self._templates[schema] = database_name(url)
        return await self.create(template=template)

    async def drop(self, url: str) -> None:
        """Remove a database of `create`, with the connections it still has."""
        await self._command(f'drop database if exists "{database_name(url)}" with (force)')

    async def drop_templates(self) -> None:
        """Remove what `create_migrated` keeps."""
        while self._templates:
            _, name = self._templates.popitem()
            await self._command(f'drop database if exists "{name}" with (force)')

    async def _command(self, text: str) -> None:
        """Use a new connection: each test has its own event loop, and connections belong to one."""
        database = await connect(self.url, max_connections=1)
        try:
            async with database.connection() as connection:
                await connection.script(text)
        finally:
            await database.aclose()


@contextmanager
def open_server(
    run: str | None = None, environ: Mapping[str, str] = os.environ
) -> Generator[DatabaseServer]:
    """The server of a test run, for as long as the context is open.

    It is the one that `GRAPHILE_WORKER_TEST_DATABASE_URL` names, else an embedded one, which is
    thrown away.

    Args:
        run: a name that the processes of one run have in common (pytest-xdist's `testrunuid`);
            they share the server then.
        environ: where that variable is looked up.

    Raises:
        MissingDependencyError: there is no PostgreSQL to start.
    """
    if url := environ.get(VARIABLE):
        server = DatabaseServer(url)
        try:
            yield server
        finally:
            # In another thread: in this one there may be an event loop.
            with ThreadPoolExecutor(1) as executor:
                executor.submit(asyncio.run, server.drop_templates()).result()
        return
    where = f"embedded://{quote(str(_shared_folder(run)))}?temporary" if run else None
    with EmbeddedPostgres.start(where or "embedded:?temporary") as embedded:
        yield DatabaseServer(embedded.url, embedded)


def _shared_folder(run: str) -> Path:
    """The same for all processes of a run, also when memory became short since the first."""
    name = f"{_PREFIX}{run}"
    folders = [Path(parent, name).absolute() for parent in (IN_MEMORY, tempfile.gettempdir())]
    made = [folder for folder in folders if folder.exists()]
    return made[0] if made else Path(throwaway_folder(), name).absolute()


def database_url(url: str, name: str) -> str:
    """The connection string of another database of the same server."""
    parts = re.fullmatch(r"(\w+(?:\+\w+)?://[^/?]*)(?:/[^?]*)?(\?.*)?", url)
    if parts is None:  # libpq's other form, in which the last word counts
        return f"{url} dbname={name}"
    return f"{parts[1]}/{quote(name, safe='')}{parts[2] or ''}"


def database_name(url: str) -> str:
    """The database that a result of `database_url` names."""
    return url.partition("?")[0].rpartition("=" if " dbname=" in url else "/")[2]
