"""Where connections lead: a connection string, or a function that is asked for it each time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from graphile_worker.drivers.dsn import resolve
from graphile_worker.drivers.target import Target
from graphile_worker.errors import ConfigurationError, ConnectionLostError
from graphile_worker.runtime.own_loop import run_in_own_loop

DatabaseUrl: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A connection string, or what gives one, plain or async: for passwords that change, and servers
that move. Asked before every connect, in whatever thread that happens; a plain function is called
in a thread, so it may wait."""

ANSWER_WITHIN: Final = 30.0
"""Seconds that the function has."""


class Source:
    """Says where to connect, whenever somebody does.

    Any thread and event loop may ask.

    Raises:
        ConfigurationError: the connection string, if it is known already, cannot be used.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        self._ask = url if callable(url) else None
        self._target = None if callable(url) else resolve(url)

    async def target(self) -> Target:
        """Where to connect now.

        Raises:
            ConnectionLostError: the function raised, hung, or gave no usable connection string.
        """
        if self._ask is None:
            assert self._target is not None  # noqa: S101 (one of the two is there)
            return self._target
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                url = await asyncio.to_thread(self._ask)
                if inspect.isawaitable(url):
                    url = await url
            return _resolved(url)
        except TimeoutError:
            raise ConnectionLostError(
                f"{_name(self._ask)} did not say where to connect within {ANSWER_WITHIN:g} s"
            ) from None
        except Exception as error:
            # A service that gives passwords may be away for a while, as a database may.
            raise ConnectionLostError(
                f"{_name(self._ask)} did not say where to connect: {_told(error)}"
            ) from error

    def target_now(self) -> Target:
        """The same without an event loop."""
        return self._target or run_in_own_loop(self.target())


def _resolved(url: object) -> Target:
    if not isinstance(url, str):
        raise ConfigurationError(f"expected a connection string, got {type(url).__name__}")
    return resolve(url)


def _told(error: Exception) -> str:
    """What it raised; what others wrote may quote a connection string, so only ours is repeated."""
    return str(error) if isinstance(error, ConfigurationError) else type(error).__name__


def _name(ask: Callable[[], object]) -> str:
    return f"database_url {getattr(ask, '__qualname__', type(ask).__qualname__)}()"
