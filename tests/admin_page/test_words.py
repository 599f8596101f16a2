"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.view import Settings


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.18, "180 ms"),
        (4.2, "4.2 s"),
        (59.4, "59 s"),
        (192, "3 m 12 s"),
        (2_520, "42 m"),
        (5_160, "1 h 26 m"),
        (50_000, "13 h"),
        (4 * 86_400 + 7_200, "4 d 2 h"),
        (None, words.UNKNOWN),
    ],
)
def test_spans_have_two_units_at_most(seconds: float | None, text: str) -> None:
    assert words.span(seconds) == text


def test_numbers_have_thousands_and_say_when_they_are_estimates() -> None:
    assert words.number(151_204) == "151,204"
    assert words.number(10_001, capped=True) == "~10,001"
    assert words.number(None) == words.UNKNOWN
    assert words.number(0.25) == "0.2"


def test_times_of_the_past_and_of_the_future() -> None:
    assert [words.ago(seconds) for seconds in (9.0, 0.2, -250)] == [
        *("9.0 s ago", "now", "in 4 m 10 s"),
    ]


def test_moments_are_written_in_the_viewers_zone() -> None:
    moment = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert words.day_and_time(moment, ZoneInfo("Europe/Berlin")) == "2 Jul 2026, 00:30:00"
    assert words.day_and_time(datetime.max.replace(tzinfo=UTC), UTC) == "never"


def test_only_the_first_line_of_an_error_counts() -> None:
    assert words.first_line("\n  ValueError: x  \n  at …") == "ValueError: x"
    assert words.first_line("x" * 200) == "x" * 159 + "…"
    assert words.first_line(None) == words.UNKNOWN


def test_cookies_choose_only_what_there_is() -> None:
    settings = Settings.of({"gw_theme": "dark", "gw_density": "<script>", "gw_zone": "No/Where"})
    assert (settings.theme, settings.density, settings.tzinfo) == ("dark", "", UTC)
    berlin = Settings.of({"gw_zone": "Europe%2FBerlin"})
    assert berlin.tzinfo == ZoneInfo("Europe/Berlin")
    assert Settings.of({"gw_zone": "Europe%2FBerlin", "gw_clock": "utc"}).tzinfo == UTC
