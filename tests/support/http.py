"""Asking a server by hand, rightly and wrongly."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: str


async def ask(port: int, path: str, *, method: str = "GET") -> Answer:
    """A request as probes send it."""
    return parsed(await talk(port, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()))


async def talk(port: int, request: bytes, *, host: str = "127.0.0.1") -> bytes:
    """Send bytes and read until the other side closes."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(15):
            return await reader.read()
    finally:
        writer.close()


def parsed(answer: bytes) -> Answer:
    head, _, body = answer.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(first.split(" ")[1]), headers, body)
