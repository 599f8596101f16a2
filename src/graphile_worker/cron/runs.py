"""When an expression is due, in its time zone.

The rule for the days on which a clock is changed: an expression with fixed hours means them on
every day, so a time that is skipped is due once, right after the gap, and a time that comes twice
is due the first time only. Any other, with `*` or `*/n` hours, means what the clock shows, however
often it shows it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import takewhile
from typing import Final

from graphile_worker.cron.expression import Expression
from graphile_worker.cron.zones import Stretch, stretches

MINUTE: Final = timedelta(minutes=1)
_YEARS: Final = 10
"""Longer than the longest way to the next 29 February."""
_FAR: Final = timedelta(days=366 * _YEARS)


def first_run(expression: Expression, zone: tzinfo, start: datetime) -> datetime | None:
    """The first run that is not before this instant; None when there will be none.

    Args:
        expression: the five fields.
        zone: where the clock hangs that they are read from.
        start: an aware datetime; seconds count as the next minute.

    Returns:
        A whole minute, in UTC.
    """
    start = next_minute(start)
    if zone is UTC:
        wall = expression.first_from(start.replace(tzinfo=None))
        return None if wall is None else wall.replace(tzinfo=UTC)
    for stretch in stretches(zone, start, years=_YEARS):
        if start < stretch.end and (run := _run_in(stretch, expression, start)) is not None:
            return run
    return None


def runs(expression: Expression, zone: tzinfo, start: datetime) -> Iterator[datetime]:
    """Every run from this instant on."""
    run = first_run(expression, zone, start)
    while run is not None:
        yield run
        run = first_run(expression, zone, run + MINUTE)


def latest_runs(
    expression: Expression, zone: tzinfo, since: datetime, until: datetime, count: int
) -> list[datetime]:
    """The last runs between two instants, both of which belong to it, the oldest first.

    Args:
        expression: the five fields.
        zone: where the clock hangs that they are read from.
        since: nothing before it, nor before ten years ago.
        until: nothing after it.
        count: at most so many.
    """
    span = _gap(expression, zone, until) * count
    since = max(since, until - _FAR)
    while True:
        start = max(since, until - span)
        found = takewhile(lambda run: run <= until, runs(expression, zone, start))
        last = deque(found, maxlen=count)
        if len(last) == count or start == since:
            return list(last)
        span *= 4


def this_minute(instant: datetime) -> datetime:
    """The minute, of UTC, that an instant is in."""
    return instant.astimezone(UTC).replace(second=0, microsecond=0)


def next_minute(instant: datetime) -> datetime:
    """The first minute, of UTC, that does not begin before an instant."""
    minute = this_minute(instant)
    return minute if minute == instant else minute + MINUTE


def _gap(expression: Expression, zone: tzinfo, start: datetime) -> timedelta:
    """How far runs are apart there, or a minute where there are no two more."""
    run = first_run(expression, zone, start)
    after = None if run is None else first_run(expression, zone, run + MINUTE)
    return MINUTE if run is None or after is None else after - run


def _run_in(stretch: Stretch, expression: Expression, start: datetime) -> datetime | None:
    """The first run within a stretch."""
    begin = max(start, stretch.begin)
    wall = stretch.wall(begin)
    if expression.fixed_hours:
        if begin == stretch.begin and _is_skipped(expression, stretch.seen, wall):
            return begin
        wall = max(wall, stretch.seen)
    found = expression.first_from(wall)
    if found is None:
        return None
    run = stretch.instant(found)
    return run if run < stretch.end else None


def _is_skipped(expression: Expression, seen: datetime, wall: datetime) -> bool:
    """Whether a time was meant that the clock has just jumped over."""
    if seen >= wall:
        return False
    found = expression.first_from(seen)
    return found is not None and found < wall
