from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from graphile_worker.cli.instants import run_at


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", timedelta(0)),
        ("NOW", timedelta(0)),
        ("+5m", timedelta(minutes=5)),
        ("+1d12h", timedelta(days=1, hours=12)),
        ("2030-01-02T03:04:05Z", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T05:04:05.25+02:00", datetime(2030, 1, 2, 3, 4, 5, 250000, tzinfo=UTC)),
    ],
)
def test_a_time_is_what_it_says(text, expected):
    assert run_at(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tomorrow", "`tomorrow` is neither RFC 3339"),
        ("2030-01-02T03:04:05", "has no time zone; end it with Z"),
        ("2030-13-02T03:04:05Z", "neither RFC 3339"),
        ("+", "duration must not be empty"),
        ("+5x", "unsupported duration unit `x`"),
    ],
)
def test_what_is_no_time_is_refused_with_the_reason(text, message):
    with pytest.raises(click.BadParameter, match=message):
        run_at(text)
