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


def is_true(rows: Sequence[Row]) -> bool:
    """Decode for statements that ask one question: one row, whose value is yes or no."""
    return bool(rows[0][0])


def only_value(rows: Sequence[Row]) -> Any:
    """Decode for statements that answer one row with one value."""
    return rows[0][0]


def value_if_any(rows: Sequence[Row]) -> Any | None:
    """Decode for statements that answer one value, or no row: None."""
    return rows[0][0] if rows else None


def first_column(rows: Sequence[Row]) -> list[Any]:
    """Decode for statements that answer a list of values, one a row."""
    return [row[0] for row in rows]


def by_first_column(rows: Sequence[Row]) -> dict[Any, Any]:
    """Decode for statements that answer pairs: what belongs to each value of the first column."""
    return {row[0]: row[1] for row in rows}
