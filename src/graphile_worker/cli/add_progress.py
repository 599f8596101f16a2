"""How far `add --from-ndjson` has come, on stderr where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Shows how far it has come."""

    def show(self, bytes_read: int, added: int) -> None:
        """Bytes read of the file, and jobs added so far."""
        ...


class Silence:
    """For logs and pipes."""

    def show(self, bytes_read: int, added: int) -> None:
        """Nothing."""


@contextmanager
def progress(size: int | None) -> Generator[Progress]:
    """The way of showing that suits stderr.

    Args:
        size: of the file in bytes; None where it has none, as a pipe.
    """
    if not sys.stderr.isatty():
        yield Silence()
        return
    from graphile_worker.cli.add_bar import bar  # noqa: PLC0415 (rich)

    with bar(size) as display:
        yield display
