"""A small HTTP server for probes and scrapes: three pages, GET only, one request a connection.

It is no web server: what it reads, how long it waits and how many it serves at once is bounded, so
that nobody who can reach it can hold up the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, Protocol

from graphile_worker.errors import ConfigurationError
from graphile_worker.worker.listen_address import ListenAddress

logger = logging.getLogger(__name__)

LARGEST_REQUEST: Final = 8192
"""Bytes of a request line with its headers."""
LONGEST_REQUEST: Final = 5.0
"""Seconds from the connection to the last byte of the answer."""
MOST_REQUESTS: Final = 32
"""Answered at once; more are turned away."""

_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"


class Health(Protocol):
    """What `/readyz` wants to know; a dataclass is shown in full."""

    @property
    def is_ready(self) -> bool:
        """Whether the worker takes jobs."""
        ...


class Exporter(Protocol):
    """A plugin with metrics."""

    content_type: str

    def observe(self, health: Any) -> None:
        """Take over, as far as it is told, how the worker is doing."""
        ...

    def render(self) -> bytes:
        """All metrics as text."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    status: HTTPStatus
    content_type: str
    body: bytes


class Pages:
    """What there is to see.

    Args:
        health: how the worker is doing; asked with each request.
        exporter: has the metrics; None: there are none.
    """

    def __init__(self, health: Callable[[], Health], exporter: Exporter | None) -> None:
        self._health = health
        self._exporter = exporter

    def page(self, path: str) -> Page:
        """The page at a path."""
        match path:
            case "/healthz":
                return Page(HTTPStatus.OK, _TEXT, b"ok\n")
            case "/readyz":
                return self._ready()
            case "/metrics":
                return self._metrics()
            case _:
                text = b"there are /healthz, /readyz and /metrics\n"
                return Page(HTTPStatus.NOT_FOUND, _TEXT, text)

    def _ready(self) -> Page:
        health = self._health()
        status = HTTPStatus.OK if health.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        shown = {"is_ready": health.is_ready, **_as_json(health)}
        return Page(status, _JSON, json.dumps(shown, default=_plain).encode() + b"\n")

    def _metrics(self) -> Page:
        if self._exporter is None:
            text = b"no metrics: pip install 'graphile-worker[prometheus]'\n"
            return Page(HTTPStatus.NOT_IMPLEMENTED, _TEXT, text)
        self._exporter.observe(self._health())
        return Page(HTTPStatus.OK, self._exporter.content_type, self._exporter.render())


@asynccontextmanager
async def serving(
    address: ListenAddress | None, pages: Pages
) -> AsyncGenerator[ListenAddress | None]:
    """Answer requests inside; nothing at all without an address.

    Returns:
        Where: the port is known by now.

    Raises:
        ConfigurationError: nobody can listen there.
    """
    if address is None:
        yield None
        return
    answering: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (we are in one)
        answering.add(task)
        try:
            if len(answering) <= MOST_REQUESTS:
                async with asyncio.timeout(LONGEST_REQUEST):
                    await _answer(reader, writer, pages)
        except (TimeoutError, OSError, asyncio.CancelledError):
            # Whoever asked has gone or is too slow, or the server ends, which would wait for what
            # is still to be sent. Nobody awaits this task; asyncio would log that it was cancelled.
            writer.transport.abort()
        finally:
            answering.discard(task)
            writer.close()

    try:
        server = await asyncio.start_server(
            serve, address.host or None, address.port, limit=LARGEST_REQUEST
        )
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {address}: {error}") from error
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        actual = ListenAddress(address.host, port)
        logger.info("health and metrics on http://%s", actual)
        try:
            yield actual
        finally:
            for task in tuple(answering):
                task.cancel()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pages: Pages) -> None:
    method, page = await _page_for(reader, pages)
    head = (
        f"HTTP/1.1 {page.status.value} {page.status.phrase}\r\n"
        f"Content-Type: {page.content_type}\r\n"
        f"Content-Length: {len(page.body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    writer.write(head.encode() + (b"" if method == "HEAD" else page.body))
    await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _page_for(reader: asyncio.StreamReader, pages: Pages) -> tuple[str, Page]:
    try:
        request = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return "GET", Page(status, _TEXT, b"the request is too large\n")
    except asyncio.IncompleteReadError:
        return "GET", Page(HTTPStatus.BAD_REQUEST, _TEXT, b"the request ends early\n")
    words = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 (method, path, version)
        return "GET", Page(HTTPStatus.BAD_REQUEST, _TEXT, b"this is no HTTP/1 request\n")
    method, path, _ = words
    if method not in {"GET", "HEAD"}:
        return method, Page(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"GET or HEAD\n")
    try:
        return method, pages.page(path.partition("?")[0])
    except Exception:
        logger.exception("cannot show %s", path)
        return method, Page(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"see the log\n")


def _as_json(health: object) -> dict[str, Any]:
    if dataclasses.is_dataclass(health) and not isinstance(health, type):
        return dataclasses.asdict(health)
    return {}


def _plain(value: object) -> object:
    return value.total_seconds() if isinstance(value, timedelta) else str(value)
