"""What callers are told when their own connection fails under a statement of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from graphile_worker.database.statement import Statement
from graphile_worker.errors import ConfigurationError

_OTHER_LOOP = ("different loop", "different event loop")
"""In the texts of asyncio, which has no class for it."""


@contextmanager
def noted(statement: Statement[Any]) -> Generator[None]:
    """Let the driver's exception through as it is, with a note that names the statement."""
    try:
        yield
    except RuntimeError as error:
        if any(words in str(error) for words in _OTHER_LOOP):
            raise other_loop() from error
        _add_note(error, statement)
        raise
    except Exception as error:
        _add_note(error, statement)
        raise


def check_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """Refuse to use a connection from an event loop that is not its own, before it gets stuck."""
    if loop is not None and loop is not asyncio.get_running_loop():
        raise other_loop()


def other_loop() -> ConfigurationError:
    """The error for a connection that belongs to another event loop."""
    return ConfigurationError(
        "this connection belongs to another event loop than the one that runs; use it in the loop "
        "it was opened in"
    )


def _add_note(error: Exception, statement: Statement[Any]) -> None:
    error.add_note(
        f"Graphile Worker was sending its statement {statement.name!r} on this connection."
    )
