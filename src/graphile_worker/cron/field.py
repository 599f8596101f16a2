"""One of the five time fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

CHARACTERS: Final = re.compile(r"[0-9*/,\-]+")
"""What a time field is made of."""

_PART: Final = re.compile(
    r"(?P<star>\*)(?:/(?P<step>[0-9]+))?|(?P<first>[0-9]+)(?:-(?P<last>[0-9]+))?"
)
_NAME: Final = re.compile(r"[A-Za-z]{3}")
_SHOWN: Final = 40
_DIGITS: Final = 9
"""A longer number is out of every range, and not worth its conversion."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field counts, and from where to where."""

    name: str
    low: int
    high: int
    wraps: bool = False
    """Whether `high + 1` is another way to write `low`: Sunday is 0 and 7."""

    @property
    def highest_written(self) -> int:
        """The largest number that may stand in the text."""
        return self.high + self.wraps


MINUTE: Final = Kind("minute", 0, 59)
HOUR: Final = Kind("hour", 0, 23)
DAY: Final = Kind("day of month", 1, 31)
MONTH: Final = Kind("month", 1, 12)
WEEKDAY: Final = Kind("day of week", 0, 6, wraps=True)
KINDS: Final = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


class FieldError(ValueError):
    """A part of a field is wrong; `offset` is where it starts."""

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Field:
    """The numbers a field stands for, in order; equal to any other text for the same numbers."""

    values: tuple[int, ...]
    text: str = field(compare=False)
    starred: bool = field(compare=False)
    """Whether `*` or `*/n` is one of its parts."""


def parse_field(text: str, kind: Kind) -> Field:
    """Read `*`, `*/n`, `n`, `a-b`, or a list of these.

    Raises:
        FieldError: the first part that is none of these, or out of range.
    """
    numbers: set[int] = set()
    parts: dict[str, None] = {}
    for offset, part in _parts(text):
        if part not in parts:
            parts[part] = None
            numbers.update(_numbers(part, offset, kind))
    starred = any(part.startswith("*") for part in parts)
    return Field(tuple(sorted(numbers)), ",".join(parts), starred)


def shown(text: str) -> str:
    """A text in an error, cut to what one can read."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def _parts(text: str) -> Iterator[tuple[int, str]]:
    offset = 0
    for part in text.split(","):
        yield offset, part
        offset += len(part) + 1


def _numbers(part: str, offset: int, kind: Kind) -> Iterator[int]:
    match = _PART.fullmatch(part)
    if match is None:
        raise FieldError(f"{kind.name}: {_misunderstood(part)}", offset)
    if match["star"]:
        return iter(range(kind.low, kind.high + 1, _step(match["step"], part, offset, kind)))
    first = _number(match["first"], offset, kind)
    if match["last"] is None:
        return iter([_wrapped(first, kind)])
    last = _number(match["last"], offset + len(match["first"]) + 1, kind)
    if last <= first:
        raise FieldError(
            f"{kind.name}: the range {shown(part)} must end above where it starts", offset
        )
    return (_wrapped(number, kind) for number in range(first, last + 1))


def _step(digits: str | None, part: str, offset: int, kind: Kind) -> int:
    if digits is None:
        return 1
    # A step past the field leaves its first number, however large the step.
    step = kind.high + 1 if len(digits.lstrip("0")) > _DIGITS else int(digits)
    if step == 0:
        raise FieldError(f"{kind.name}: the step of {shown(part)} must be at least 1", offset + 2)
    return step


def _number(digits: str, offset: int, kind: Kind) -> int:
    significant = digits.lstrip("0") or "0"
    number = int(significant) if len(significant) <= _DIGITS else None
    if number is None or not kind.low <= number <= kind.highest_written:
        raise FieldError(
            f"{kind.name}: {shown(digits)[1:-1]} is out of range, expected {kind.low} to "
            f"{kind.highest_written}",
            offset,
        )
    return number


def _wrapped(number: int, kind: Kind) -> int:
    return kind.low if number > kind.high else number


def _misunderstood(part: str) -> str:
    if not part:
        return "a number is missing"
    if "/" in part and not part.startswith("*"):
        return f"{shown(part)} is not supported: a step goes with * only, as in */5"
    if _NAME.match(part):
        return f"names such as {shown(part)} are not supported: write the number"
    return f"{shown(part)} is not a number, a range a-b, * or */n"
