"""An endless supply of jobs, taken in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
)
from contextlib import aclosing
from itertools import islice
from typing import Any, Final, TypeVar

from graphile_worker.errors import ConfigurationError

T = TypeVar("T")
B = TypeVar("B")

_AT_ONCE: Final = 64
"""So many items are taken before others on the event loop have a turn."""


def checked_chunk_size(chunk_size: int) -> int:
    """A number of jobs.

    Raises:
        ConfigurationError: it is less than 1, or no whole number.
    """
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, int):
        raise ConfigurationError(f"chunk_size must be a whole number, got {chunk_size!r}")
    if chunk_size < 1:
        raise ConfigurationError(f"chunk_size must be at least 1, got {chunk_size}")
    return chunk_size


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items, and one of what is left."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def chunks_of_either(items: Iterable[T] | AsyncIterable[T], size: int) -> AsyncGenerator[list[T]]:
    """The same of a plain or an async iterable, without holding up the event loop."""
    if isinstance(items, AsyncIterable):
        return _chunks_of_async(items, size)
    return _chunks_of_plain(items, size)


async def store_in_turn(
    chunks: AsyncGenerator[list[T]],
    make: Callable[[list[T]], B],
    store: Callable[[B], Coroutine[Any, Any, int]],
) -> int:
    """Store one chunk after the other: its source may need the same connection."""
    async with aclosing(chunks):
        return sum([await store(make(chunk)) async for chunk in chunks])


async def store_ahead(
    chunks: AsyncGenerator[list[T]],
    make: Callable[[list[T]], B],
    store: Callable[[B], Coroutine[Any, Any, int]],
) -> int:
    """Store each chunk while the next is being made, so that Python and PostgreSQL both work.

    Where making the next one fails, the one before it is stored all the same.
    """
    stored = 0
    storing: asyncio.Future[int] | None = None
    async with aclosing(chunks):
        try:
            async for chunk in chunks:
                batch = make(chunk)
                if storing is not None:
                    stored += await storing
                storing = asyncio.ensure_future(store(batch))
        except asyncio.CancelledError:
            if storing is not None:
                storing.cancel()
                await asyncio.gather(storing, return_exceptions=True)
            raise
        except Exception:
            if storing is not None:
                await storing
            raise
    return stored if storing is None else stored + await storing


async def _chunks_of_plain(items: Iterable[T], size: int) -> AsyncGenerator[list[T]]:
    iterator = iter(items)
    chunk: list[T] = []
    while piece := list(islice(iterator, min(_AT_ONCE, size - len(chunk)))):
        chunk += piece
        if len(chunk) == size:
            yield chunk
            chunk = []
        await asyncio.sleep(0)
    if chunk:
        yield chunk


async def _chunks_of_async(items: AsyncIterable[T], size: int) -> AsyncGenerator[list[T]]:
    chunk: list[T] = []
    async for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
        if len(chunk) % _AT_ONCE == 0:
            await asyncio.sleep(0)
    if chunk:
        yield chunk
