from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from graphile_worker.testing.databases import DatabaseServer
from graphile_worker.testing.pytest_plugin import gw_database, gw_server, gw_utils

__all__ = ["gw_database", "gw_server", "gw_utils"]


@pytest.fixture(scope="session")
def server(gw_server: DatabaseServer) -> DatabaseServer:
    """One for the whole run, whatever the number of its processes."""
    return gw_server


@pytest.fixture
async def empty_database(server: DatabaseServer) -> AsyncIterator[str]:
    """The URL of a database without our schema."""
    url = await server.create()
    yield url
    await server.drop(url)


@pytest.fixture
def migrated_database(gw_database: str) -> str:
    """The URL of a database with our schema, at the newest revision."""
    return gw_database
