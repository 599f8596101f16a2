"""The five time fields together: which minutes of a calendar they mean."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import MAXYEAR, date, datetime, time, timedelta
from typing import Final

from graphile_worker.cron.field import KINDS, Field, parse_field

_ALL_DAYS: Final = 31
_ALL_WEEKDAYS: Final = 7
_ALL_HOURS: Final = 24
_YEARS: Final = 9
"""29 February is at most eight years away (2096 to 2104); what is not found by then never comes."""


@dataclass(frozen=True, slots=True)
class Expression:
    """When, on a clock on some wall. Equal when the same minutes are meant.

    Day of month and day of week: when both are restricted, either will do. A field that lists all
    its days is not restricted.
    """

    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field
    fixed_hours: bool = field(init=False)
    """Whether it names hours of a day, and so means them on the days on which the clock is
    changed; with `*` in the hours it means every so often."""

    def __post_init__(self) -> None:
        every_hour = self.hour.starred or len(self.hour.values) == _ALL_HOURS
        object.__setattr__(self, "fixed_hours", not every_hour)

    def __str__(self) -> str:
        return " ".join(f.text for f in self.fields)

    def __repr__(self) -> str:
        return f"Expression({str(self)!r})"

    @property
    def fields(self) -> tuple[Field, Field, Field, Field, Field]:
        """In the order of the text."""
        return self.minute, self.hour, self.day, self.month, self.weekday

    def matches(self, wall: datetime) -> bool:
        """Whether this minute is meant."""
        return (
            wall.minute in self.minute.values
            and wall.hour in self.hour.values
            and wall.month in self.month.values
            and self._day_matches(wall.date())
        )

    def first_from(self, wall: datetime) -> datetime | None:
        """The first minute meant that is not before this one; None when there is none."""
        today = wall.date()
        if wall.month in self.month.values and self._day_matches(today):
            at = self._first_time_from(wall.hour, wall.minute)
            if at is not None:
                return datetime.combine(today, at)
        day = self._first_day_after(today)
        if day is None:
            return None
        return datetime.combine(day, time(self.hour.values[0], self.minute.values[0]))

    def _first_time_from(self, hour: int, minute: int) -> time | None:
        hours, minutes = self.hour.values, self.minute.values
        at = bisect_left(hours, hour)
        if at < len(hours) and hours[at] == hour:
            if minute <= minutes[-1]:
                return time(hour, minutes[bisect_left(minutes, minute)])
            at += 1
        return time(hours[at], minutes[0]) if at < len(hours) else None

    def _first_day_after(self, day: date) -> date | None:
        for first in self._months_from(day):
            found = day + timedelta(1) if first <= day else first
            while found.month == first.month:
                if self._day_matches(found):
                    return found
                if found == date.max:
                    return None
                found += timedelta(1)
        return None

    def _months_from(self, day: date) -> Iterator[date]:
        """The first days of the months meant, from the one that this day is in."""
        for year in range(day.year, min(day.year + _YEARS, MAXYEAR) + 1):
            for month in self.month.values:
                if (year, month) >= (day.year, day.month):
                    yield date(year, month, 1)

    def _day_matches(self, day: date) -> bool:
        by_day = len(self.day.values) != _ALL_DAYS
        by_weekday = len(self.weekday.values) != _ALL_WEEKDAYS
        if by_day and by_weekday:
            return day.day in self.day.values or _weekday(day) in self.weekday.values
        if by_weekday:
            return _weekday(day) in self.weekday.values
        return day.day in self.day.values


def parse_expression(text: str) -> Expression:
    """Read five fields, for example `*/10 8-18 * * 1-5`.

    Raises:
        ValueError: there are not five, or one of them is wrong (`FieldError`).
    """
    texts = text.split()
    if len(texts) != len(KINDS):
        raise ValueError(f"expected {len(KINDS)} time fields, got {len(texts)}")
    return Expression(*map(parse_field, texts, KINDS))


def _weekday(day: date) -> int:
    """Sunday is 0."""
    return day.isoweekday() % 7
