"""Durations as people type them: `500ms`, `5s`, `4w3d2h1m`, `1h 30min`; a number is seconds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

import click

_UNITS: Final = (
    (timedelta(weeks=1), ("w", "week", "weeks")),
    (timedelta(days=1), ("d", "day", "days")),
    (timedelta(hours=1), ("h", "hr", "hrs", "hour", "hours")),
    (timedelta(minutes=1), ("m", "min", "mins", "minute", "minutes")),
    (timedelta(seconds=1), ("s", "sec", "secs", "second", "seconds")),
    (timedelta(milliseconds=1), ("ms", "msec", "msecs", "millisecond", "milliseconds")),
)
"""From the longest to the shortest: the order in which a phrase has them."""

_BY_NAME: Final = {name: unit for unit, names in _UNITS for name in names}
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """The duration that a text names.

    Raises:
        ValueError: it is empty, not a duration, or has an unknown unit.
    """
    phrase = text.strip().lower()
    if not phrase:
        raise ValueError("duration must not be empty")
    try:
        if _NUMBER.fullmatch(phrase):
            return timedelta(seconds=float(phrase))
        return _sum_of_parts(phrase)
    except OverflowError:
        raise ValueError(f"duration `{text}` is too long") from None


def _sum_of_parts(phrase: str) -> timedelta:
    total, position, shortest = timedelta(0), 0, timedelta.max
    while position < len(phrase):
        part = _PART.match(phrase, position)
        if part is None:
            raise ValueError(f"invalid duration `{phrase}`; write it like 500ms, 5s, 2m or 1h30m")
        unit = _BY_NAME.get(part[2])
        if unit is None:
            raise ValueError(f"unsupported duration unit `{part[2]}`; there are w, d, h, m, s, ms")
        if unit >= shortest:
            raise ValueError(f"invalid duration `{phrase}`; the longest unit comes first, once")
        total += float(part[1]) * unit
        position, shortest = part.end(), unit
    return total


def duration(text: str) -> timedelta:
    """A duration on the command line: `click.option(type=duration)`."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def positive_duration(text: str) -> timedelta:
    """The same, but 0 is refused."""
    parsed = duration(text)
    if not parsed:
        raise click.BadParameter("must be more than 0")
    return parsed
