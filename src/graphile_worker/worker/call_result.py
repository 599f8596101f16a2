"""What became of a handler that ran in a thread or in another process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeAlias, TypeVar

from graphile_worker.errors import Snooze

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Returned(Generic[T]):
    """The handler returned."""

    value: T


@dataclass(frozen=True, slots=True)
class Raised:
    """The handler raised.

    The error is a value and not raised again because some errors cannot travel through asyncio:
    a future refuses `StopIteration`, and `KeyboardInterrupt` or `SystemExit` out of a task end
    the loop.
    """

    error: BaseException


CallResult: TypeAlias = Returned[T] | Raised


def delay_of(snooze: Snooze) -> timedelta:
    """How long the handler wants to wait.

    Raises:
        TypeError: its class keeps no delay where `Snooze` does.
    """
    delay: object = getattr(snooze, "delay", None)
    if isinstance(delay, timedelta):
        return delay
    raise TypeError(
        f"the delay of {type(snooze).__qualname__} is {delay!r}, not a timedelta; "
        "its __init__ must call super().__init__(delay)"
    )
