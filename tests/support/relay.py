"""A TCP port in front of a server's Unix socket: a network that a test can break."""

from __future__ import annotations

import asyncio
import ssl
import struct
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

SSL_REQUEST = struct.pack("!ll", 8, 80877103)


def socket_of(url: str) -> Path:
    """Where the server of a test's database listens."""
    query = parse_qs(urlsplit(url).query)
    return Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")


def through(relay: Relay, url: str) -> str:
    """The URL of the same database through the relay."""
    return f"postgresql://postgres@127.0.0.1:{relay.port}/{urlsplit(url).path[1:]}"


class Relay:
    """Passes bytes on until it is told to stop answering, or to hang up."""

    def __init__(self, target: Path, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._gate = asyncio.Event()
        self._gate.set()
        self._answers = asyncio.Event()
        self._answers.set()
        self._unanswerable: bytes | None = None
        self.port = port
        self.accepted = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()
        self.hang_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def freeze(self) -> None:
        """Accept, and never answer: a black-holed link."""
        self._gate.clear()

    def thaw(self) -> None:
        """Answer new connections again; those that were frozen are dropped."""
        self.hang_up()
        self._gate.set()

    def withhold_answers(self, *, from_one_with: bytes) -> None:
        """Pass requests on, and keep what the server says from the first answer with these bytes."""
        self._unanswerable = from_one_with

    def deliver_answers(self) -> None:
        """Let the answers that were kept arrive, late."""
        self._unanswerable = None
        self._answers.set()

    def answer_again(self) -> None:
        """Answer new connections; those whose answers were kept are dropped with them."""
        self._unanswerable = None
        self.hang_up()
        self._answers.set()

    @property
    def flowing(self) -> bool:
        return self._gate.is_set()

    def hang_up(self) -> None:
        """Drop every connection without a goodbye."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            if self._tls is not None:
                assert await reader.readexactly(8) == SSL_REQUEST
                writer.write(b"S")
                await writer.start_tls(self._tls)
            back, forth = await asyncio.open_unix_connection(str(self._target))
            self._writers.add(forth)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, forth))
                both.create_task(self._pass(back, writer, answers=True))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._gate.wait()
                if answers:
                    if self._unanswerable is not None and self._unanswerable in data:
                        self._answers.clear()
                    await self._answers.wait()
                writer.write(data)
        writer.close()
