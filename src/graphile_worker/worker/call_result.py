"""What became of a handler that ran in a thread or in another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

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
