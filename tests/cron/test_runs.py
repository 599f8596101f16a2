"""When entries are due in time zones whose clocks are changed."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.crontabs import ZONES, Meaning, meanings, minutes, scan

from graphile_worker.cron.expression import parse_expression
from graphile_worker.cron.runs import first_run, latest_runs, next_minute, runs, this_minute
from graphile_worker.cron.zones import ZoneError, zone_of


def runs_between(text: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    found = runs(parse_expression(text), zone_of(zone), start)
    return list(itertools.takewhile(lambda run: run < end, found))


def local(text: str, zone: str, day: str) -> list[str]:
    """The runs of one local day, as `time+offset`."""
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    end = (start + timedelta(days=1)).astimezone(UTC)  # the next midnight of the wall
    found = runs_between(text, zone, start.astimezone(UTC), end)
    return [f"{run.astimezone(ZoneInfo(zone)):%H:%M%z}" for run in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", ["03:00+0200"]),  # skipped: once, right after the gap
        ("*/15 2 * * *", ["03:00+0200"]),
        ("30 1-3 * * *", ["01:30+0100", "03:00+0200", "03:30+0200"]),
        ("0 2,3 * * *", ["03:00+0200"]),  # both at one minute
        ("0 3 * * *", ["03:00+0200"]),
        ("30 */2 * * *", [f"{h:02}:30+0{1 if h < 2 else 2}00" for h in range(0, 24, 2) if h != 2]),
        ("59 * * * *", [f"{h:02}:59+0{1 if h < 2 else 2}00" for h in range(24) if h != 2]),
    ],
)
def test_a_time_that_the_clock_skips(text, expected):
    assert local(text, "Europe/Paris", "2026-03-29") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", ["02:30+0200"]),  # repeated: the first time
        ("*/20 2 * * *", ["02:00+0200", "02:20+0200", "02:40+0200"]),
        ("0 3 * * *", ["03:00+0100"]),
        ("0 2-3 * * *", ["02:00+0200", "03:00+0100"]),
        ("30 */2 * * *", ["00:30+0200", "02:30+0200", "02:30+0100"]),
        ("0 * * * *", ["00:00+0200", "01:00+0200", "02:00+0200", "02:00+0100", "03:00+0100"]),
    ],
)
def test_a_time_that_the_clock_repeats(text, expected):
    found = local(text, "Europe/Paris", "2026-10-25")
    assert found[: len(expected)] == expected


def test_a_day_that_was_left_out_is_made_up_for():
    """Samoa had no 30 December 2011."""
    start = datetime(2011, 12, 29, 12, tzinfo=UTC)
    found = runs_between("0 8 * * *", "Pacific/Apia", start, start + timedelta(days=2))
    shown = [f"{run.astimezone(ZoneInfo('Pacific/Apia')):%d %H:%M}" for run in found]
    assert shown == ["29 08:00", "31 00:00", "31 08:00"]


def test_days_and_weekdays_are_those_of_the_zone():
    # 1 January 2026 begins at 10:00 UTC of the day before on Kiritimati; a Thursday there.
    start = datetime(2025, 12, 31, tzinfo=UTC)
    assert first_run(parse_expression("0 0 1 1 *"), zone_of("Pacific/Kiritimati"), start) == (
        datetime(2025, 12, 31, 10, tzinfo=UTC)
    )
    assert first_run(parse_expression("0 0 * * 4"), zone_of("Pacific/Kiritimati"), start) == (
        datetime(2025, 12, 31, 10, tzinfo=UTC)
    )


@settings(deadline=None, max_examples=150)
@given(
    meaning=meanings(),
    zone=st.sampled_from(ZONES),
    start=minutes(2000, 2037),
    days=st.integers(1, 4),
)
def test_runs_are_those_of_a_scan_of_every_minute(
    meaning: Meaning, zone: str, start: datetime, days: int
):
    end = start + timedelta(days)
    expected = scan(meaning, zone_of(zone), start, end)
    assert runs_between(meaning.text, zone, start, end) == expected


CHANGES = [
    ("Europe/Paris", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Paris", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 3, 8, 5, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 11, 1, 5, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 2, 15, 2, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("America/Caracas", datetime(2007, 12, 9, 7, tzinfo=UTC)),
    ("America/Caracas", datetime(2016, 5, 1, 7, tzinfo=UTC)),
]


@settings(deadline=None, max_examples=200)
@given(
    meaning=meanings(),
    change=st.sampled_from(CHANGES),
    before=st.integers(0, 26 * 60),
    length=st.integers(1, 30 * 60),
)
def test_runs_around_a_change_are_those_of_a_scan(
    meaning: Meaning, change: tuple[str, datetime], before: int, length: int
):
    zone, at = change
    start = at - timedelta(minutes=before)
    end = start + timedelta(minutes=length)
    expected = scan(meaning, zone_of(zone), start, end)
    assert runs_between(meaning.text, zone, start, end) == expected


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("zone", ZONES)
def test_runs_of_years_are_those_of_a_scan(zone: str):
    start, end = datetime(2010, 6, 1, tzinfo=UTC), datetime(2012, 6, 1, tzinfo=UTC)
    texts = ["30 2 * * *", "*/40 */5 * * *", "0 0 29 2 *", "15 0,23 13 */3 5"]
    sets = {"30 2 * * *": ({30}, {2}), "15 0,23 13 */3 5": ({15}, {0, 23})}
    every = [frozenset(range(1, 32)), frozenset(range(1, 13)), frozenset(range(7))]
    known = [
        Meaning(texts[0], (*map(frozenset, sets[texts[0]]), *every), fixed_hours=True),
        Meaning(
            texts[1],
            (frozenset({0, 40}), frozenset(range(0, 24, 5)), *every),
            fixed_hours=False,
        ),
        Meaning(
            texts[2],
            (frozenset({0}), frozenset({0}), frozenset({29}), frozenset({2}), every[2]),
            fixed_hours=True,
        ),
        Meaning(
            texts[3],
            (
                *map(frozenset, sets[texts[3]]),
                frozenset({13}),
                frozenset({1, 4, 7, 10}),
                frozenset({5}),
            ),
            fixed_hours=True,
        ),
    ]
    for meaning in known:
        expected = scan(meaning, zone_of(zone), start, end)
        assert runs_between(meaning.text, zone, start, end) == expected


def test_seconds_count_as_the_next_minute():
    at = datetime(2026, 1, 1, 8, 0, 0, 1, tzinfo=UTC)
    assert next_minute(at) == datetime(2026, 1, 1, 8, 1, tzinfo=UTC)
    assert this_minute(at) == next_minute(this_minute(at)) == datetime(2026, 1, 1, 8, tzinfo=UTC)
    assert first_run(parse_expression("0 8 * * *"), UTC, at) == datetime(2026, 1, 2, 8, tzinfo=UTC)


def test_what_never_comes_in_a_zone_ends():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert first_run(parse_expression("0 0 30 2 *"), zone_of("Europe/Paris"), at) is None
    assert first_run(parse_expression("0 0 29 2 *"), zone_of("Europe/Paris"), at) == (
        datetime(2028, 2, 28, 23, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    "name",
    [
        "Mars/Phobos",
        "Europe",
        "",
        "../etc/passwd",
        "/etc/passwd",
        "a\0b",
        "\ud800",
        "x" * 10_000,
        " ",
    ],
)
def test_an_unknown_zone_is_refused(name):
    with pytest.raises(ZoneError, match="unknown time zone"):
        zone_of(name)


WITHOUT_DATA = """
import sys
sys.modules["tzdata"] = None
from graphile_worker import CrontabError, parse_crontab
parse_crontab("0 8 * * * report ?tz=UTC")
try:
    parse_crontab("0 8 * * * report ?tz=Europe/Paris")
except CrontabError as error:
    print(error.reason)
"""


def test_a_machine_without_time_zone_data_is_told_what_to_install():
    """And needs none for UTC."""
    environment = {**os.environ, "PYTHONTZPATH": ""}
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_DATA],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install tzdata" in ended.stdout


@given(
    meanings(),
    st.sampled_from(ZONES),
    st.integers(1, 30),
    st.timedeltas(timedelta(0), timedelta(days=3)),
)
@settings(max_examples=50, deadline=None)
def test_the_latest_runs_are_the_last_of_all_there_were(
    meaning: Meaning, zone: str, count: int, length: timedelta
) -> None:
    expression, until = parse_expression(meaning.text), datetime(2026, 3, 29, 9, 30, tzinfo=UTC)
    since = until - length
    found = runs(expression, zone_of(zone), since)
    expected = list(itertools.takewhile(lambda run: run <= until, found))[-count:]
    assert latest_runs(expression, zone_of(zone), since, until, count) == expected


@pytest.mark.parametrize(
    ("text", "first"),
    [("* * * * *", "2026-06-01 11:41"), ("0 0 29 2 *", "2020-02-29 00:00"), ("0 0 1 1 *", "2017")],
)
def test_the_latest_runs_reach_back_for_ten_years(text: str, first: str) -> None:
    until = datetime(2026, 6, 1, 12, tzinfo=UTC)
    start = datetime(1, 1, 2, tzinfo=UTC)
    found = latest_runs(parse_expression(text), UTC, start, until, 20)
    assert str(found[0]).startswith(first)


def test_what_never_comes_has_no_latest_runs() -> None:
    until = datetime(2026, 6, 1, 12, tzinfo=UTC)
    start = until - timedelta(days=700)
    assert latest_runs(parse_expression("0 0 30 2 *"), UTC, start, until, 20) == []
