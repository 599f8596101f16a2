from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from support.relay import Relay

from graphile_worker.embedded.server import EmbeddedPostgres

PASSWORD = "s:e/c?r@t#1 %"


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of these tests alone, whose roles need passwords; `postgres` does not."""
    with EmbeddedPostgres.start() as server:
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        asyncio.run(_prepare(server.url))
        yield server


async def _prepare(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("select pg_reload_conf()")
    await connection.execute(f"create role guarded login password '{PASSWORD}'")
    await connection.close()


@pytest.fixture
def password() -> str:
    """The one of the role `guarded`."""
    return PASSWORD


@pytest.fixture
def url(server: EmbeddedPostgres) -> str:
    return server.url


@pytest.fixture
def socket_folder(url: str) -> str:
    return parse_qs(urlsplit(url).query)["host"][0]


@pytest.fixture
def socket(url: str, socket_folder: str) -> Path:
    port = parse_qs(urlsplit(url).query)["port"][0]
    return Path(socket_folder) / f".s.PGSQL.{port}"


@pytest.fixture
async def relay(socket: Path) -> AsyncIterator[Relay]:
    async with Relay(socket) as relay:
        yield relay


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No PG* variables, and a home without a pass file."""
    import os

    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
