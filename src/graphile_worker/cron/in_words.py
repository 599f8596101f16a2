"""An expression as a sentence: `At minute 5 of every hour`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from graphile_worker.cron.expression import Expression
from graphile_worker.cron.field import DAY, HOUR, MINUTE, MONTH, WEEKDAY, Kind

_WEEKDAYS: Final = (
    *("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"),
)
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_ORDINALS: Final = {2: "2nd", 3: "3rd"}
_MOST_TIMES: Final = 4
"""So many times of a day are listed one by one."""
_RUN: Final = 3
"""So many numbers in a row are written as a range."""
_SOME_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 (on a clock on some wall)


def in_words(expression: Expression) -> str:
    """When it is due, on a clock on some wall; the same for all ways to write the same minutes."""
    parts = (_times(expression), _days(expression), _months(expression), _never(expression))
    return "".join(part for part in parts if part)


def _times(expression: Expression) -> str:
    """At what times of a day."""
    minutes, hours = expression.minute.values, expression.hour.values
    every, minute_step, hour_step = _all(hours, HOUR), _step(minutes, MINUTE), _step(hours, HOUR)
    if every and minute_step:
        return "Every minute" if minute_step == 1 else f"Every {minute_step} minutes"
    if len(minutes) * len(hours) <= _MOST_TIMES:
        return "At " + _and(_clock(hour, minute) for hour in hours for minute in minutes)
    at = f"Every {minute_step} minutes" if minute_step else f"At {_numbers('minute', minutes)}"
    at = "Every minute" if minute_step == 1 else at
    if every:
        return f"{at} of every hour"
    if hour_step:
        ordinal = _ORDINALS.get(hour_step, f"{hour_step}th")
        return f"{at} of every {ordinal} hour from midnight"
    if not minute_step:
        return f"{at} of {_the('hour', hours)}"
    stretches = (
        f"from {_clock(first, 0)} to {_clock(last, minutes[-1])}" for first, last in _runs(hours)
    )
    return f"{at} {_and(stretches)}"


def _days(expression: Expression) -> str:
    """On which days: when both fields are restricted, either will do."""
    days, weekdays = expression.day.values, expression.weekday.values
    of_month = "" if _all(days, DAY) else f"on {_the('day', days)} of the month"
    names = [_WEEKDAYS[place] for place in sorted((day - 1) % 7 for day in weekdays)]
    of_week = "" if _all(weekdays, WEEKDAY) else f"on {_named(names, _WEEKDAYS)}"
    if of_month and of_week:
        return f" {of_month}, and also {of_week}"
    if of_month or of_week:
        return f" {of_month or of_week}"
    return "" if _step(expression.hour.values, HOUR) else " every day"


def _months(expression: Expression) -> str:
    months = expression.month.values
    if _all(months, MONTH):
        return ""
    both = not (_all(expression.day.values, DAY) or _all(expression.weekday.values, WEEKDAY))
    names = [_MONTHS[month - 1] for month in months]
    return f"{', all' if both else ''} in {_named(names, _MONTHS)}"


def _never(expression: Expression) -> str:
    return "" if expression.first_from(_SOME_DAY) else ", which never comes"


# -- numbers -------------------------------------------------------------------------------------


def _all(values: Sequence[int], kind: Kind) -> bool:
    return len(values) == kind.high - kind.low + 1


def _step(values: Sequence[int], kind: Kind) -> int | None:
    """The distance of numbers that go on evenly, over the end too; None where they do not."""
    count = kind.high - kind.low + 1
    step = count // len(values)
    even = len(values) > 1 and tuple(values) == tuple(range(kind.low, kind.high + 1, step))
    return step if even and count % step == 0 else None


def _clock(hour: int, minute: int) -> str:
    return f"{hour:02}:{minute:02}"


def _the(noun: str, values: Sequence[int]) -> str:
    """`day 1`, `the days 1 to 7`."""
    return _numbers(noun, values) if len(values) == 1 else f"the {_numbers(noun, values)}"


def _numbers(noun: str, values: Sequence[int]) -> str:
    """`minute 5`, `minutes 0 to 9, 20 and 21`."""
    said = _ranges([str(value) for value in values], values)
    return f"{noun} {said}" if len(values) == 1 else f"{noun}s {said}"


def _named(names: Sequence[str], order: Sequence[str]) -> str:
    return _ranges(names, [order.index(name) for name in names])


def _ranges(texts: Sequence[str], places: Sequence[int]) -> str:
    """Texts with commas between; those in a row by the first and the last."""
    by_place = dict(zip(places, texts, strict=True))
    parts: list[str] = []
    for first, last in _runs(places):
        if last - first + 1 >= _RUN:
            parts.append(f"{by_place[first]} to {by_place[last]}")
        else:
            parts += [by_place[place] for place in range(first, last + 1)]
    return _and(parts)


def _runs(values: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of numbers in a row."""
    first = last = values[0]
    for value in values[1:]:
        if value != last + 1:
            yield first, last
            first = value
        last = value
    yield first, last


def _and(parts: Iterator[str] | Sequence[str]) -> str:
    *rest, final = parts
    return f"{', '.join(rest)} and {final}" if rest else final
