"""Time zones by their IANA names, and when their clocks are changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

UTC_NAME: Final = "UTC"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+)*")
_SHOWN: Final = 60
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_LONGEST_CHANGE: Final = timedelta(days=2)
"""Clocks were never put back by more than a day."""


class ZoneError(ValueError):
    """There is no such time zone, or none at all on this machine."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time between two changes of a zone's clock.

    All but `seen` are instants, or lengths, in UTC; `seen` is how far the clock on the wall had
    come before: later than where it begins now when it was put back, earlier when put forward.
    """

    begin: datetime
    end: datetime
    offset: timedelta
    seen: datetime

    def wall(self, instant: datetime) -> datetime:
        """What the clock shows; without a time zone."""
        return (instant + self.offset).replace(tzinfo=None)

    def instant(self, wall: datetime) -> datetime:
        """When the clock shows this; may be past the end."""
        return wall.replace(tzinfo=UTC) - self.offset


def zone_of(name: str) -> tzinfo:
    """The zone of this name.

    Raises:
        ZoneError: it is not known here; the message says what to do.
    """
    if name == UTC_NAME:
        return UTC
    try:
        if _NAME.fullmatch(name):
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # OSError: the name of a folder of zones
        pass
    if not available_timezones():
        raise ZoneError(
            f"cannot look up the time zone {name[:_SHOWN]!r}: this machine has no time zone data; "
            "install the package tzdata (pip install tzdata)"
        )
    raise ZoneError(
        f"unknown time zone {name[:_SHOWN]!r}: expected an IANA name such as Europe/Paris"
    )


def stretches(zone: tzinfo, start: datetime, *, years: int) -> Iterator[Stretch]:
    """The stretches of a zone from the one that this instant is in, for some years.

    The first one begins early enough to know whether the clock was put back shortly before.
    """
    begin = start - _LONGEST_CHANGE
    offset = _offset(zone, begin)
    seen = (begin + offset).replace(tzinfo=None)
    for year in range(begin.year, min(begin.year + years, MAXYEAR - 1) + 1):
        for change in [*_changes(zone, year), datetime(year + 1, 1, 1, tzinfo=UTC)]:
            if change <= begin:
                continue
            stretch = Stretch(begin, change, offset, seen)
            yield stretch
            seen = max(seen, stretch.wall(change))
            begin, offset = change, _offset(zone, change)


@lru_cache(maxsize=4096)
def _changes(zone: tzinfo, year: int) -> tuple[datetime, ...]:
    """The minutes of a year, of UTC, at which the clock begins to be another."""
    days = [datetime(year, 1, 1, tzinfo=UTC) + n * _DAY for n in range(367)]
    offsets = [_offset(zone, day) for day in days]
    changed = (n for n in range(366) if offsets[n] != offsets[n + 1])
    found = (_change_between(zone, days[n], days[n + 1]) for n in changed)
    return tuple(change for change in found if change.year == year)


def _change_between(zone: tzinfo, early: datetime, late: datetime) -> datetime:
    before = _offset(zone, early)
    while late - early > _MINUTE:
        middle = early + (late - early) // _MINUTE // 2 * _MINUTE
        if _offset(zone, middle) == before:
            early = middle
        else:
            late = middle
    return late


def _offset(zone: tzinfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)
