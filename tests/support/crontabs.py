"""Random crontabs, and what they mean, worked out anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from hypothesis import strategies as st

BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
MINUTE = timedelta(minutes=1)

ZONES = [
    "UTC",
    "Europe/Paris",
    "Europe/Dublin",
    "America/New_York",
    "America/Havana",  # changes at midnight
    "America/Sao_Paulo",
    "America/Caracas",  # half an hour, for good
    "Australia/Lord_Howe",  # half an hour, twice a year
    "Antarctica/Troll",  # two hours
    "Africa/Casablanca",  # four changes a year
    "Pacific/Apia",  # left a day out
    "Asia/Kathmandu",
    "Asia/Gaza",
]


@dataclass(frozen=True)
class Meaning:
    """Five fields as text, and as the sets they stand for."""

    text: str
    sets: tuple[frozenset[int], ...]
    fixed_hours: bool

    def matches(self, wall: datetime) -> bool:
        minute, hour, day, month, weekday = self.sets
        if wall.minute not in minute or wall.hour not in hour or wall.month not in month:
            return False
        by_day, by_weekday = wall.day in day, wall.isoweekday() % 7 in weekday
        if len(day) < 31 and len(weekday) < 7:
            return by_day or by_weekday
        return by_day and by_weekday


@st.composite
def parts(draw, field: int) -> tuple[str, frozenset[int]]:
    low, high = BOUNDS[field]
    written_high = 7 if field == 4 else high
    form = draw(st.sampled_from(["number", "range", "star", "step"]))
    if form == "number":
        number = draw(st.integers(low, written_high))
        zeros = draw(st.sampled_from(["", "", "0"]))
        return f"{zeros}{number}", frozenset([_wrapped(number, field)])
    if form == "range":
        first = draw(st.integers(low, written_high - 1))
        last = draw(st.integers(first + 1, written_high))
        numbers = range(first, last + 1)
        return f"{first}-{last}", frozenset(_wrapped(number, field) for number in numbers)
    if form == "star":
        return "*", frozenset(range(low, high + 1))
    step = draw(st.integers(1, high + 5))
    return f"*/{step}", frozenset(range(low, high + 1, step))


def _wrapped(number: int, field: int) -> int:
    return 0 if field == 4 and number == 7 else number


@st.composite
def meanings(draw) -> Meaning:
    texts: list[str] = []
    sets: list[frozenset[int]] = []
    for field in range(5):
        # Mostly stars: what is due once in years is seldom seen in a window of days.
        if draw(st.booleans()) and field >= 2:
            found = [("*", frozenset(range(BOUNDS[field][0], BOUNDS[field][1] + 1)))]
        else:
            found = draw(st.lists(parts(field), min_size=1, max_size=3))
        texts.append(",".join(text for text, _ in found))
        sets.append(frozenset().union(*(numbers for _, numbers in found)))
    fixed = "*" not in texts[1] and len(sets[1]) < 24
    return Meaning(" ".join(texts), tuple(sets), fixed)


def scan(meaning: Meaning, zone: tzinfo, start: datetime, end: datetime) -> list[datetime]:
    """Every run in a span of UTC, found by looking at each minute of it."""
    found = []
    before = (start - MINUTE).astimezone(zone).replace(tzinfo=None, fold=0)
    instant = start
    while instant < end:
        local = instant.astimezone(zone)
        wall = local.replace(tzinfo=None, fold=0)
        if meaning.fixed_hours:
            skipped = (before + MINUTE * n for n in range(1, (wall - before) // MINUTE))
            # A clock that was put back shows what it has shown: the second time has fold 1.
            due = (meaning.matches(wall) and not local.fold) or any(map(meaning.matches, skipped))
        else:
            due = meaning.matches(wall)
        if due:
            found.append(instant)
        before = wall
        instant += MINUTE
    return found


def minutes(first_year: int, last_year: int):
    """Whole minutes of UTC."""
    early = datetime(first_year, 1, 1)  # noqa: DTZ001 (made aware below)
    late = datetime(last_year, 12, 31)  # noqa: DTZ001
    return st.datetimes(early, late).map(
        lambda at: at.replace(second=0, microsecond=0, fold=0, tzinfo=UTC)
    )
