"""Fixtures for pytest: `gw_database` and `gw_utils`.

Both need the extra `embedded`, or `GRAPHILE_WORKER_TEST_DATABASE_URL`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from graphile_worker.client.worker_utils import WorkerUtils
    from graphile_worker.testing.databases import DatabaseServer

T = TypeVar("T")


@pytest.fixture(scope="session")
def gw_server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """The server on which the databases are made: one for the whole run."""
    from graphile_worker.testing.databases import open_server  # noqa: PLC0415 (users may not test)

    worker = getattr(request.config, "workerinput", None)
    with open_server(worker and worker["testrunuid"]) as server:
        yield server


@pytest.fixture
def gw_database(gw_server: DatabaseServer) -> Iterator[str]:
    """The URL of a fresh database with the schema in it, for one test."""
    url = _run(gw_server.create_migrated())
    yield url
    _run(gw_server.drop(url))


def _run(call: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own: the test's may have an event loop, or not."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, call).result()


try:
    import pytest_asyncio
except ImportError:  # pragma: no cover (then there are no async tests)
    pass
else:

    @pytest_asyncio.fixture
    async def gw_utils(gw_database: str) -> AsyncIterator[WorkerUtils]:
        """`WorkerUtils` on `gw_database`."""
        from graphile_worker.client.worker_utils import WorkerUtils  # noqa: PLC0415 (as above)

        async with WorkerUtils.connect(gw_database) as utils:
            yield utils
