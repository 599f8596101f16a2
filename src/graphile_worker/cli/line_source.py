"""Lines of a file or of standard input, as they come and without holding them all."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

from graphile_worker.errors import ConfigurationError

T = TypeVar("T")

_BLOCK: Final = 2**16
_BOM: Final = b"\xef\xbb\xbf"


class LineSource:
    """Reads lines from an open descriptor.

    Attributes:
        name: for errors.
        size: of a regular file in bytes; None of pipes and terminals.
        bytes_read: how many bytes of it were read.
        number: of the line read last, from 1.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._descriptor = descriptor
        # A pipe says 0, and so do files that the kernel makes up.
        self.size = os.fstat(descriptor).st_size or None
        self.bytes_read = 0
        self.number = 0

    async def lines(self) -> AsyncGenerator[bytes]:
        """The lines without their ends; a line is held in memory as a whole.

        Raises:
            ConfigurationError: it cannot be read on.
        """
        rest: list[bytes] = []
        while block := await self._block():
            if not self.bytes_read:
                block = block.removeprefix(_BOM)
            self.bytes_read += len(block)
            first, *others = block.split(b"\n")
            rest.append(first)
            for line in others:
                self.number += 1
                yield b"".join(rest)
                rest = [line]
        if any(rest):
            self.number += 1
            yield b"".join(rest)

    async def _block(self) -> bytes:
        try:
            return await _in_daemon(lambda: os.read(self._descriptor, _BLOCK))
        except OSError as error:
            raise _unreadable(self.name, error) from error


@contextmanager
def open_lines(path: str) -> Generator[LineSource]:
    """A file's lines; those of standard input for `-`.

    Raises:
        ConfigurationError: it cannot be read.
    """
    name = "standard input" if path == "-" else path
    try:
        # Never closed is 0: a thread may still wait for what comes next.
        descriptor = 0 if path == "-" else os.open(path, os.O_RDONLY)
        os.read(descriptor, 0)  # a folder opens, and cannot be read
        source = LineSource(name, descriptor)
    except OSError as error:
        raise _unreadable(name, error) from error
    try:
        yield source
    finally:
        if descriptor:
            os.close(descriptor)


def _unreadable(name: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"failed to read {name}: {error.strerror or error}")


async def _in_daemon(function: Callable[[], T]) -> T:
    """Call in a thread that nobody waits for: a read from a terminal may never end.

    `asyncio.to_thread` would hold up Ctrl-C until it does. Cancelled, the thread reads on, and what
    it reads is lost.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: OSError | None) -> None:
        if answer.cancelled():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type] # there is one without an error

    def work() -> None:
        result, failure = None, None
        try:
            result = function()
        except OSError as error:
            failure = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=work, name="graphile-worker-reader", daemon=True).start()
    return await answer
