"""How far back missed runs are made up for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from graphile_worker.errors import CrontabError

LONGEST: Final = timedelta(days=366)
"""What a longer `fill` is cut to: an entry of every minute has half a million runs in it."""

_UNITS: Final = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_TEXT: Final = re.compile(r"(?:[0-9]+[smhdw])+")
_PAIR: Final = re.compile(r"([0-9]+)([smhdw])")
_DIGITS: Final = 15


@dataclass(frozen=True, slots=True, order=True, init=False)
class CrontabFill:
    """How far back missed runs are made up for: `CrontabFill(d=1, h=12)`, `CrontabFill.hours(1)`.

    Raises:
        CrontabError: not a whole number, or less than 0.
    """

    total_seconds: int

    def __init__(self, *, w: int = 0, d: int = 0, h: int = 0, m: int = 0, s: int = 0) -> None:
        given = {"w": w, "d": d, "h": h, "m": m, "s": s}
        for name, number in given.items():
            if isinstance(number, bool) or not isinstance(number, int) or number < 0:
                raise CrontabError(
                    f"fill: {name} must be a whole number, at least 0, got {number!r}"
                )
        total = sum(number * _UNITS[unit] for unit, number in given.items())
        object.__setattr__(self, "total_seconds", total)

    def __str__(self) -> str:
        text, left = "", self.total_seconds
        for unit, seconds in _UNITS.items():
            number, left = divmod(left, seconds)
            text += f"{number}{unit}" if number else ""
        return text or "0s"

    @property
    def period(self) -> timedelta:
        """The length that is used: at most `LONGEST`."""
        if self.total_seconds > LONGEST.total_seconds():
            return LONGEST
        return timedelta(seconds=self.total_seconds)

    @classmethod
    def seconds(cls, number: int) -> CrontabFill:
        """So many seconds."""
        return cls(s=number)

    @classmethod
    def minutes(cls, number: int) -> CrontabFill:
        """So many minutes."""
        return cls(m=number)

    @classmethod
    def hours(cls, number: int) -> CrontabFill:
        """So many hours."""
        return cls(h=number)

    @classmethod
    def days(cls, number: int) -> CrontabFill:
        """So many days of 24 hours."""
        return cls(d=number)

    @classmethod
    def weeks(cls, number: int) -> CrontabFill:
        """So many weeks."""
        return cls(w=number)


def parse_fill(text: str) -> CrontabFill:
    """Read `4w3d2h1m`: whole numbers with units, in any order.

    Raises:
        ValueError: it is not written so, or a number has more than 15 digits.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError("expected numbers with the units s, m, h, d or w, such as 1h30m")
    total = 0
    for digits, unit in _PAIR.findall(text):
        if len(digits) > _DIGITS:
            raise ValueError(f"a number of more than {_DIGITS} digits")
        total += int(digits) * _UNITS[unit]
    return CrontabFill(s=total)
