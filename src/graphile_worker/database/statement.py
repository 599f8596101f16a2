"""SQL as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")


class Row(Protocol):
    """One result row, read by position: columns of several types, which `decode` gives names.

    What asyncpg's records and the tuples of other drivers have in common.
    """

    def __getitem__(self, index: int, /) -> Any:
        """The value of the column at this position."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """The values in order."""
        ...

    def __len__(self) -> int:
        """The number of columns."""
        ...


@dataclass(frozen=True, slots=True)
class Statement(Generic[T]):
    """One SQL statement, ready to send, and how to read its rows.

    Attributes:
        name: what it is called in logs, spans and error notes.
        text: PostgreSQL's own `$1` placeholders, every one cast (`$1::text`).
        args: values for them: str, int, float, bool, datetime, timedelta, None, lists of these.
            JSON travels as text.
        decode: the rows, as read by position, to the value the caller wants.
    """

    name: str
    text: str
    args: tuple[object, ...]
    decode: Callable[[Sequence[Row]], T]


def nothing(_rows: Sequence[Row]) -> None:
    """Decode for statements whose rows nobody reads."""
