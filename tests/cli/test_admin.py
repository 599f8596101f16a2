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

LAST = {"One-time link", "Trusted proxies"}
"""What the last line is about."""


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
            while not said.keys() & LAST and not said.get("Auth", "").startswith("none"):
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


PROXY = ["--auth", "proxy-header", "--trusted-proxy"]


async def test_a_proxy_says_who_asks(gw_database: str) -> None:
    variables = {
        "GRAPHILE_WORKER_ADMIN_TRUSTED_PROXY": "10.0.0.0/8 127.0.0.1/32",
        "GRAPHILE_WORKER_ADMIN_PROXY_USER_HEADER": "Remote-User",
        "GRAPHILE_WORKER_ADMIN_PROXY_ROLE_HEADER": "Remote-Groups",
        "GRAPHILE_WORKER_ADMIN_PROXY_ROLE": "viewer ops=operator",
    }
    async with (
        serving(gw_database, "--auth", "proxy-header", **variables) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        assert server.said["Auth"] == "header of a proxy"
        assert server.said["Trusted proxies"] == "10.0.0.0/8, 127.0.0.1/32"
        assert "One-time link" not in server.said
        assert (await client.get("/")).status_code == 401
        # The proxy tells whom it asks for: uvicorn would take that for the address of the request.
        headers = {"Remote-User": "ada", "Remote-Groups": "ops", "X-Forwarded-For": "203.0.113.9"}
        told = (await client.get("/api/v1/status", headers=headers)).json()
        assert (told["user"]["name"], told["user"]["role"]) == ("ada", "operator")


async def test_who_is_no_proxy_is_not_believed(gw_database: str) -> None:
    async with (
        serving(gw_database, *PROXY, "10.0.0.7/32") as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        forged = {"X-Forwarded-User": "ada", "X-Forwarded-For": "10.0.0.7"}
        answer = await client.get("/api/v1/status", headers=forged)
        assert answer.status_code == 403
        assert "127.0.0.1 is none" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--auth", "none", "--listen", "0.0.0.0:0"], 2, "only allowed when --listen uses"),
        (["--auth", "none", "--listen", "[::]:0"], 2, "only allowed when --listen uses"),
        (["--listen", "nowhere"], 2, "listen must be HOST:PORT"),
        (["--auth", "header", "--header-name", "a b"], 1, "invalid header name `a b`"),
        (["--auth", "proxy-header"], 2, "--auth proxy-header and --trusted-proxy go together"),
        (
            ["--trusted-proxy", "10.0.0.0/8"],
            2,
            "--auth proxy-header and --trusted-proxy go together",
        ),
        ([*PROXY, "0.0.0.0/0"], 1, "trusted_proxies must not be everybody's, got '0.0.0.0/0'"),
        ([*PROXY, "proxy"], 1, "trusted_proxies must be networks like 10.0.0.0/8, got 'proxy'"),
        ([*PROXY, "10.0.0.1/8"], 1, "has host bits set"),
        ([*PROXY, "10.0.0.7/32", "--proxy-role", "boss"], 1, "role must be one of viewer"),
        ([*PROXY, "10.0.0.7/32", "--proxy-role", "a=admin"], 2, "needs --proxy-role-header"),
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
