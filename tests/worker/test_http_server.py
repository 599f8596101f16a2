"""The server for probes and scrapes: its pages, and what it does not put up with."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from support.http import ask, parsed, talk
from support.running import running, until

from graphile_worker import ConfigurationError, WorkerOptions, task
from graphile_worker.worker import http_server
from graphile_worker.worker.http_server import Exporter, Pages, serving
from graphile_worker.worker.listen_address import ListenAddress

ANYWHERE = ListenAddress("127.0.0.1", 0)


@dataclass
class Health:
    is_ready: bool = True
    loop_lag: timedelta = timedelta(seconds=1.5)


class Metrics:
    content_type = "text/plain; version=1"

    def __init__(self) -> None:
        self.observed: list[object] = []

    def observe(self, health: object) -> None:
        self.observed.append(health)

    def render(self) -> bytes:
        return b"jobs 3\n"


@asynccontextmanager
async def server(
    health: Health | None = None, exporter: Exporter | None = None
) -> AsyncIterator[int]:
    async with serving(ANYWHERE, Pages(lambda: health or Health(), exporter)) as address:
        assert address is not None
        yield address.port


async def test_it_is_alive_as_long_as_it_answers() -> None:
    async with server(Health(is_ready=False)) as port:
        answer = await ask(port, "/healthz")
    assert (answer.status, answer.body) == (200, "ok\n")
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(("is_ready", "status"), [(True, 200), (False, 503)])
async def test_ready_shows_the_whole_snapshot(is_ready: bool, status: int) -> None:
    async with server(Health(is_ready=is_ready)) as port:
        answer = await ask(port, "/readyz?verbose=1")
    assert answer.status == status
    assert json.loads(answer.body) == {"is_ready": is_ready, "loop_lag": 1.5}


async def test_metrics_are_those_of_the_exporter() -> None:
    metrics, health = Metrics(), Health()
    async with server(health, metrics) as port:
        answer = await ask(port, "/metrics")
    assert (answer.status, answer.body) == (200, "jobs 3\n")
    assert answer.headers["Content-Type"] == metrics.content_type
    assert metrics.observed == [health]


async def test_without_an_exporter_it_says_what_to_install() -> None:
    async with server() as port:
        answer = await ask(port, "/metrics")
    assert answer.status == 501
    assert "graphile-worker[prometheus]" in answer.body


async def test_head_is_get_without_a_body() -> None:
    async with server() as port:
        answer = await ask(port, "/healthz", method="HEAD")
    assert (answer.status, answer.body) == (200, "")
    assert answer.headers["Content-Length"] == "3"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /secret HTTP/1.1\r\n\r\n", 404),
        (b"POST /healthz HTTP/1.1\r\n\r\n", 405),
        (b"GET /healthz\r\n\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (b"\xff\xfe\x00\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request_of_its_kind_is_refused(request_: bytes, status: int) -> None:
    async with server() as port:
        assert parsed(await talk(port, request_)).status == status


async def test_a_page_that_fails_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Metrics):
        def render(self) -> bytes:
            raise ValueError("broken")

    async with server(exporter=Broken()) as port:
        assert (await ask(port, "/metrics")).status == 500
        assert (await ask(port, "/healthz")).status == 200
    assert "cannot show /metrics" in caplog.text


async def test_a_slow_request_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "LONGEST_REQUEST", 0.05)
    async with server() as port:
        with pytest.raises((ConnectionError, AssertionError)):
            assert await talk(port, b"GET /healthz HT")


async def test_too_many_at_once_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "MOST_REQUESTS", 2)
    async with server() as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]

        async def turned_away() -> bool:
            try:
                return await talk(port, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
            except ConnectionError:
                return True

        await until(turned_away)
        for _, writer in idle:
            writer.close()

        async def served() -> bool:
            try:
                return (await ask(port, "/healthz")).status == 200
            except (ConnectionError, IndexError):
                return False

        await until(served)


async def test_open_connections_do_not_hold_up_its_end() -> None:
    async with asyncio.timeout(15):
        async with server() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()


async def test_a_client_that_does_not_read_does_not_hold_up_its_end() -> None:
    """Since Python 3.12 a server waits for its connections, and those for what they have to send."""
    size = 64 * 2**20

    class Endless(Metrics):
        def render(self) -> bytes:
            return b"x" * size

    metrics, loop = Endless(), asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        async with asyncio.timeout(15):
            async with server(exporter=metrics) as port:
                await loop.sock_connect(client, ("127.0.0.1", port))
                await loop.sock_sendall(client, b"GET /metrics HTTP/1.1\r\n\r\n")

                async def answered() -> bool:
                    return bool(metrics.observed)

                await until(answered)
            received = 0
            with contextlib.suppress(ConnectionError):
                while piece := await loop.sock_recv(client, 2**20):
                    received += len(piece)
    assert received < size


async def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    async with server() as port:
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(ListenAddress("127.0.0.1", port), Pages(Health, None)):
                pass


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8464", "127.0.0.1", 8464),
        ("localhost:0", "localhost", 0),
        ("[::1]:8464", "::1", 8464),
        ("127.9.9.9:1", "127.9.9.9", 1),
    ],
)
def test_loopback_addresses(text: str, host: str, port: int) -> None:
    assert WorkerOptions(listen=text).listen_address() == ListenAddress(host, port)


@pytest.mark.parametrize("text", ["0.0.0.0:8464", "[::]:8464", ":8464", "worker.example:8464"])
def test_other_machines_get_in_only_when_asked_for(text: str) -> None:
    with pytest.raises(ConfigurationError, match="listen_beyond_loopback=True"):
        WorkerOptions(listen=text)
    assert WorkerOptions(listen=text, listen_beyond_loopback=True).listen_address() is not None


@pytest.mark.parametrize("text", ["", "8464", "localhost", "localhost:", "localhost:x", "a:70000"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="listen must be HOST:PORT"):
        WorkerOptions(listen=text)


@task(payload=None)
async def work() -> None: ...


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def test_a_worker_answers_while_it_runs(gw_database: str) -> None:
    port = free_port()
    async with running(gw_database, tasks=[work], listen=f"127.0.0.1:{port}") as worker:

        async def ready() -> bool:
            try:
                return (await ask(port, "/readyz")).status == 200
            except ConnectionError:
                return False

        await until(ready)
        assert (await ask(port, "/healthz")).status == 200
        metrics = await ask(port, "/metrics")
        assert metrics.status == 200
        assert "graphile_worker_jobs_running 0.0" in metrics.body
        worker.request_shutdown()
    with pytest.raises(ConnectionError):
        await ask(port, "/healthz")
