from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from graphile_worker.testing.databases import DatabaseServer, open_server


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """One for the whole run, whatever the number of its processes."""
    worker = getattr(request.config, "workerinput", None)
    with open_server(worker and worker["testrunuid"]) as server:
        yield server


@pytest.fixture
async def empty_database(server: DatabaseServer) -> AsyncIterator[str]:
    """The URL of a database without our schema."""
    url = await server.create()
    yield url
    await server.drop(url)


@pytest.fixture
async def migrated_database(server: DatabaseServer) -> AsyncIterator[str]:
    """The URL of a database with our schema, at the newest revision."""
    url = await server.create_migrated()
    yield url
    await server.drop(url)
