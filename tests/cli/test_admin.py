"""`graphile-worker admin`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from support.command_line import PROGRAM, environment

from graphile_worker.cli.main import run
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.migrations.runner import migrate


class Server:
    """A running server, and what it said."""

    def __init__(self, process: asyncio.subprocess.Process, said: dict[str, str]) -> None:
        self.process = process
        self.said = said
        self.url = said["Graphile Worker admin UI"]


@asynccontextmanager
async def serving(url: str, *arguments: str, **variables: str) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        "admin",
        "--listen",
        "127.0.0.1:0",
        *arguments,
        env=environment({"DATABASE_URL": url, **variables}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    said: dict[str, str] = {}
    try:
        async with asyncio.timeout(30):
            while "One-time link" not in said and not said.get("Auth", "").startswith("none"):
                line = (await process.stdout.readline()).decode().rstrip()
                assert line, said
                name, _, value = line.partition(": ")
                said[name] = value
        yield Server(process, said)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.communicate()


async def test_a_password_that_was_made_up_is_printed_and_the_link_works_once(
    gw_database: str,
) -> None:
    async with (
        serving(gw_database, "--environment", "staging") as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        said = server.said
        assert (said["Read-only mode"], said["Auth"], said["Username"]) == (
            "off",
            "HTTP Basic",
            "admin",
        )
        assert len(said["Generated password"]) == 48
        assert (await client.get("/api/v1/status")).status_code == 401
        login = httpx.BasicAuth("admin", said["Generated password"])
        status = (await client.get("/api/v1/status", auth=login)).json()
        assert status["environment"] == "staging"
        opened = await client.get(said["One-time link"])
        assert opened.status_code == 303
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await client.get("/api/v1/status")).status_code == 200
        assert (await client.get("/api/session")).json()["auth"]["generated_secret"] is True
        again = await client.get(said["One-time link"])
        assert again.status_code == 403
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(server.process.wait(), 20) == 0


async def test_a_secret_that_was_given_is_never_printed(gw_database: str) -> None:
    variables = {"GRAPHILE_WORKER_ADMIN_BEARER_TOKEN": "hunter2"}
    async with serving(gw_database, "--auth", "bearer", "--read-only", **variables) as server:
        assert "hunter2" not in repr(server.said)
        assert server.said["Bearer token"] == "configured"
        assert server.said["Read-only mode"] == "on"
        async with httpx.AsyncClient(base_url=server.url) as client:
            client.headers["Authorization"] = "Bearer hunter2"
            assert (await client.get("/api/v1/jobs")).status_code == 200
            assert (await client.post("/api/v1/jobs", json={"task": "t"})).status_code == 403


async def test_where_nobody_is_asked_only_names_of_this_machine_lead_there(
    gw_database: str,
) -> None:
    async with (
        serving(gw_database, "--auth", "none") as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        assert server.said["Auth"] == "none (loopback only)"
        assert (await client.get("/api/v1/status")).status_code == 200
        rebound = await client.get("/api/v1/status", headers={"Host": "evil.example"})
        assert rebound.status_code == 403


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--auth", "none", "--listen", "0.0.0.0:0"], 2, "only allowed when --listen uses"),
        (["--auth", "none", "--listen", "[::]:0"], 2, "only allowed when --listen uses"),
        (["--listen", "nowhere"], 2, "listen must be HOST:PORT"),
        (["--auth", "header", "--header-name", "a b"], 1, "invalid header name `a b`"),
        (["--auth", "basic", "--username", "a:b"], 1, "username must not be empty"),
        (["--crontab", "/none"], 1, "cannot read the crontab"),
    ],
)
def test_what_cannot_be_served_is_refused(
    arguments: list[str],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
    assert run(["admin", *arguments]) == code
    assert says in capsys.readouterr().err


def test_a_database_that_is_away_is_told_at_the_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
    assert run(["admin", "--listen", "127.0.0.1:0"]) == 1
    assert "Error: " in capsys.readouterr().err


async def test_more_schemas_are_served_below_their_names(gw_database: str) -> None:
    database = await connect(gw_database, max_connections=1)
    await migrate(database, Schema("billing"))
    await database.aclose()
    async with (
        serving(gw_database, "--auth", "none", "--more-schema", "billing") as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        told = (await client.get("/schemas/billing/api/v1/status")).json()
        assert told["schema"] == "billing"
        assert (await client.get("/api/v1/status")).json()["schema"] == "graphile_worker"


async def test_a_schema_that_is_not_there_is_told_at_the_start(
    gw_database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", gw_database)
    arguments = ["admin", "--listen", "127.0.0.1:0", "--more-schema", "billing"]
    assert await asyncio.to_thread(run, arguments) == 1
    assert "the schema 'billing' holds no Graphile Worker tables" in capsys.readouterr().err
