"""A network that breaks: a TCP port in front of the server's socket."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from pathlib import Path
from typing import Self


class Link:
    """One connection of a worker, passed on in both directions."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.deaf = False
        """Half open: the server's side is gone, and the client is not told."""
        self.answer_left: int | None = None
        """Bytes of the server's next answers until the link is cut."""

    def reset(self) -> None:
        """End both sides without a goodbye."""
        self.client.transport.abort()
        self.server.transport.abort()


class Proxy:
    """Owns its links. What a fault does, it does to all of them, or to some at random."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._latency = 0.0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """The way to the server that breaks."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def reset(self) -> None:
        """Drop every connection."""
        for link in list(self._links):
            link.reset()

    async def delay(self, latency: float, seconds: float) -> None:
        """Make every packet late for a while."""
        self._latency = latency
        await asyncio.sleep(seconds)
        self._latency = 0.0

    async def swallow(self, seconds: float) -> None:
        """Pass nothing for a while: a black hole, after which everything arrives late."""
        self._open.clear()
        await asyncio.sleep(seconds)
        self._open.set()

    def half_open(self, dice: random.Random, share: float) -> int:
        """Let the server's side of some links go, and tell the clients nothing."""
        chosen = self._some(dice, share)
        for link in chosen:
            link.deaf = True
            link.server.transport.abort()
        return len(chosen)

    def cut_answers(self, dice: random.Random, share: float) -> int:
        """Cut some links in the middle of the next answer."""
        chosen = self._some(dice, share)
        for link in chosen:
            link.answer_left = dice.randint(1, 40)
        return len(chosen)

    def _some(self, dice: random.Random, share: float) -> list[Link]:
        links = sorted(self._links, key=lambda link: link.client.get_extra_info("peername") or ())
        count = max(1, round(share * len(links)))
        return dice.sample(links, min(count, len(links)))

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            back, server = await asyncio.open_unix_connection(str(self._target))
        except OSError:
            client.transport.abort()
            return
        link = Link(client, server)
        self._links.add(link)
        forth = asyncio.ensure_future(self._pass(reader, server, link, answers=False))
        answers = asyncio.ensure_future(self._pass(back, client, link, answers=True))
        try:
            await asyncio.wait({forth, answers}, return_when=asyncio.FIRST_COMPLETED)
            if link.deaf:
                await asyncio.wait({forth})  # until the client gives up
        finally:
            forth.cancel()
            answers.cancel()
            self._links.discard(link)
            link.reset()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        link: Link,
        *,
        answers: bool,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self._latency:
                    await asyncio.sleep(self._latency)
                await self._open.wait()
                if link.deaf:
                    continue
                if answers and link.answer_left is not None:
                    data = data[: link.answer_left]
                    link.answer_left -= len(data)
                    writer.write(data)
                    if link.answer_left <= 0:
                        await writer.drain()
                        return
                    continue
                writer.write(data)
