"""The stream of events that an open page follows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx


@asynccontextmanager
async def following(
    base: str,
) -> AsyncIterator[tuple[httpx.Response, AsyncIterator[tuple[str, dict[str, Any]]]]]:
    """The events of a stream, as they come."""
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("GET", f"{base}events") as answer,
    ):
        yield answer, events(answer)


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
