"""Five fields: what they mean, and what is refused."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.crontabs import Meaning, meanings, minutes, scan

from graphile_worker.cron.expression import parse_expression
from graphile_worker.cron.field import DAY, HOUR, WEEKDAY, FieldError, parse_field
from graphile_worker.cron.field import MINUTE as MINUTE_FIELD


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("*/10,7,56-59", MINUTE_FIELD, (0, 7, 10, 20, 30, 40, 50, 56, 57, 58, 59)),
        ("*/5", DAY, (1, 6, 11, 16, 21, 26, 31)),
        ("*/100", HOUR, (0,)),
        ("7", WEEKDAY, (0,)),
        ("5-7", WEEKDAY, (0, 5, 6)),
        ("0-7", WEEKDAY, (0, 1, 2, 3, 4, 5, 6)),
        ("08,8", HOUR, (8,)),
        ("*/" + "9" * 5000, HOUR, (0,)),
        ("0" * 5000 + "8", HOUR, (8,)),
    ],
)
def test_what_a_field_stands_for(text, kind, values):
    assert parse_field(text, kind).values == values


@pytest.mark.parametrize(
    ("text", "kind", "offset", "message"),
    [
        ("24", HOUR, 0, "24 is out of range, expected 0 to 23"),
        ("0", DAY, 0, "0 is out of range, expected 1 to 31"),
        ("8", WEEKDAY, 0, "8 is out of range, expected 0 to 7"),
        ("1,2,99", HOUR, 4, "99 is out of range"),
        ("1-24", HOUR, 2, "24 is out of range"),
        ("30-10", MINUTE_FIELD, 0, "the range '30-10' must end above where it starts"),
        ("5-5", HOUR, 0, "must end above"),
        ("*/0", HOUR, 2, "the step of '*/0' must be at least 1"),
        ("1--100000000", HOUR, 0, "'1--100000000' is not a number"),
        ("1-100000000", HOUR, 2, "100000000 is out of range"),
        ("9" * 10_000, HOUR, 0, "out of range"),
        ("5-59/10", MINUTE_FIELD, 0, "a step goes with * only"),
        ("MON", WEEKDAY, 0, "names such as 'MON' are not supported"),
        ("L", DAY, 0, "'L' is not a number"),
        ("1,,2", HOUR, 2, "a number is missing"),
        ("1,", HOUR, 2, "a number is missing"),
        ("٣", HOUR, 0, "is not a number"),
        ("-1", HOUR, 0, "is not a number"),
    ],
)
def test_what_a_field_refuses(text, kind, offset, message):
    with pytest.raises(FieldError) as caught:
        parse_field(text, kind)
    assert caught.value.offset == offset
    assert message in caught.value.reason
    assert kind.name in caught.value.reason
    assert len(caught.value.reason) < 200


def test_fields_are_equal_when_they_mean_the_same():
    assert parse_expression("0 8 * * 7") == parse_expression("00 08 1-31 */1 0")
    assert parse_expression("0 0-5 * * *") != parse_expression("0 0-6 * * *")


def test_what_is_shown_of_an_expression_is_its_text():
    assert repr(parse_expression("0 */6 * * 1-5")) == "Expression('0 */6 * * 1-5')"


def test_stars_in_the_hours_mean_another_thing_on_the_day_of_a_change():
    assert parse_expression("0 */6 * * *") != parse_expression("0 0,6,12,18 * * *")
    assert parse_expression("0 0-23 * * *") == parse_expression("0 * * * *")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 0 13 * 5", {2, 9, 13, 16, 23, 30}),  # both restricted: Fridays and the 13th
        ("0 0 13 * *", {13}),
        ("0 0 * * 5", {2, 9, 16, 23, 30}),
        ("0 0 1-31 * 5", {2, 9, 16, 23, 30}),  # all the days are no restriction
        ("0 0 13 * 0-6", {13}),
        ("0 0 */2 * 5", {*range(1, 32, 2), 2, 16, 30}),
    ],
)
def test_day_of_month_or_day_of_week(text, days):
    expression = parse_expression(text)
    january = [datetime(2026, 1, day) for day in range(1, 32)]  # noqa: DTZ001
    assert {at.day for at in january if expression.matches(at)} == days


@settings(deadline=None)
@given(meaning=meanings(), wall=st.datetimes())
def test_the_matcher_agrees_with_the_sets(meaning: Meaning, wall: datetime):
    assert parse_expression(meaning.text).matches(wall) == meaning.matches(wall)


@settings(deadline=None)
@given(meaning=meanings(), start=minutes(1900, 9000))
def test_the_first_minute_matches_and_none_before_it_does(meaning: Meaning, start: datetime):
    found = parse_expression(meaning.text).first_from(start.replace(tzinfo=None))
    end = start + timedelta(days=2)
    if found is not None:
        assert meaning.matches(found)
        end = min(end, found.replace(tzinfo=UTC))
    assert scan(meaning, UTC, start, end) == []


@pytest.mark.parametrize(
    ("text", "start", "first"),
    [
        ("0 0 29 2 *", "2026-01-01", "2028-02-29"),
        ("0 0 29 2 *", "2096-03-01", "2104-02-29"),  # 2100 has none
        ("0 0 31 4,6,9,11 *", "2026-01-01", None),
        ("0 0 30 2 *", "2026-01-01", None),
        ("0 0 30 2 1", "2026-01-01", "2026-02-02"),  # or a Monday
        ("0 0 1 1 *", "9999-01-02", None),
        ("59 23 31 12 *", "9999-12-31T23:59", "9999-12-31T23:59"),
    ],
)
def test_days_that_are_rare_or_never_come(text, start, first):
    found = parse_expression(text).first_from(datetime.fromisoformat(start))
    assert found == (None if first is None else datetime.fromisoformat(first))


def test_what_never_comes_is_known_at_once():
    expression = parse_expression("* * 30 2 *")
    started = time.perf_counter()
    for _ in range(20):
        assert expression.first_from(datetime(2026, 1, 1)) is None  # noqa: DTZ001
    assert time.perf_counter() - started < 1, "as long as looking at each minute of years"
