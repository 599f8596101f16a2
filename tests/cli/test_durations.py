from __future__ import annotations

from datetime import timedelta

import click
import pytest

from graphile_worker.cli.durations import duration, parse_duration, positive_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", timedelta(seconds=5)),
        ("0", timedelta(0)),
        ("0.25", timedelta(milliseconds=250)),
        ("500ms", timedelta(milliseconds=500)),
        ("1.5s", timedelta(seconds=1.5)),
        ("5s", timedelta(seconds=5)),
        ("5 sec", timedelta(seconds=5)),
        ("2secs", timedelta(seconds=2)),
        ("1second", timedelta(seconds=1)),
        ("3 SECONDS", timedelta(seconds=3)),
        ("2m", timedelta(minutes=2)),
        ("2min", timedelta(minutes=2)),
        ("2 Mins", timedelta(minutes=2)),
        ("1minute", timedelta(minutes=1)),
        ("4h", timedelta(hours=4)),
        ("1hr", timedelta(hours=1)),
        ("2hrs", timedelta(hours=2)),
        ("2hours", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
        ("1 week", timedelta(weeks=1)),
        ("4w3d2h1m", timedelta(weeks=4, days=3, hours=2, minutes=1)),
        ("1h 30min", timedelta(hours=1, minutes=30)),
        (" 1m30s500ms ", timedelta(seconds=90.5)),
    ],
)
def test_a_duration_is_what_it_says(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "duration must not be empty"),
        ("  ", "duration must not be empty"),
        ("abc", "invalid duration `abc`"),
        ("-5s", "invalid duration `-5s`"),
        ("5s!", "invalid duration `5s!`"),
        ("5s 3", "invalid duration `5s 3`"),
        ("5x", "unsupported duration unit `x`"),
        ("5h2parsecs", "unsupported duration unit `parsecs`"),
        ("1m1h", "invalid duration `1m1h`"),
        ("1h1h", "invalid duration `1h1h`"),
        ("nan", "invalid duration `nan`"),
        ("٣s", "invalid duration"),
        ("9" * 30, "too long"),
        ("9" * 30 + "w", "too long"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_reason(text, message):
    with pytest.raises(ValueError, match=message):
        parse_duration(text)


def test_on_the_command_line_it_is_a_usage_error():
    with pytest.raises(click.BadParameter, match="unsupported duration unit `x`"):
        duration("5x")


def test_zero_is_refused_where_nothing_would_wait():
    assert positive_duration("1ms") == timedelta(milliseconds=1)
    with pytest.raises(click.BadParameter, match="more than 0"):
        positive_duration("0s")
