from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from graphile_worker.testing.databases import DatabaseServer
from graphile_worker.testing.pytest_plugin import gw_database, gw_server, gw_utils

__all__ = ["gw_database", "gw_server", "gw_utils"]


NO_SKIPS = "GRAPHILE_WORKER_NO_SKIPS"
"""Set by `./dev check --full`: then only these reasons may skip a test."""
ALLOWED_SKIPS = {
    "only root can become other users",
    "root is the exception",
}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get(NO_SKIPS):
        return
    reasons = {
        str(report.longrepr[2]).removeprefix("Skipped: ")
        for report in reporter.stats.get("skipped", [])
    }
    if unexpected := reasons - ALLOWED_SKIPS:
        reporter.write_line(
            f"skipped for reasons that are not allowed here: {sorted(unexpected)}", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


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
