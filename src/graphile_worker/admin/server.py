"""The admin page on an address of its own, with uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from starlette.types import Receive, Scope, Send

from graphile_worker.admin.app import AdminApp
from graphile_worker.admin.web.proxy_header import PEER
from graphile_worker.worker.listen_address import ListenAddress

_GRACE: Final = 5
"""Seconds that answers under way have when the server is told to end."""
_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that waits for the server.

    Attributes:
        socket: bound; closed by `serve`.
        url: under which this machine reaches it.
    """

    socket: socket.socket
    url: str


def listen(address: ListenAddress) -> Listening:
    """Take the address, before anything is said about it.

    Raises:
        OSError: somebody else has it, or it is none of this machine.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    taken = socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    host, port = address.host or "127.0.0.1", taken.getsockname()[1]
    return Listening(taken, f"http://{ListenAddress(host, port)}")


async def serve(app: AdminApp, listening: Listening, *, until: asyncio.Event | None = None) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends what is under way at once.

    Args:
        app: what to serve.
        listening: where; closed at the end.
        until: serve until this is set, too; for where there are no signals.
    """
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    config.load()
    config.loaded_app = _with_peer(config.loaded_app)
    server = _Server(config)
    waiting = asyncio.create_task(_end(server, until or asyncio.Event()))
    try:
        with listening.socket:
            await server.serve(sockets=[listening.socket])
    finally:
        waiting.cancel()


def _with_peer(app: Any) -> Any:
    """Keep who sent a request: within, uvicorn believes X-Forwarded-For of this machine."""

    async def kept(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, PEER: scope.get("client")}, receive, send)

    return kept


async def _end(server: _Server, until: asyncio.Event) -> None:
    await until.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    """Ends in order when it is told to; uvicorn's own would then kill itself by the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Hear SIGINT and SIGTERM while the context is open."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
