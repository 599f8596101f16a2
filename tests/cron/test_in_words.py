"""Expressions as sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.cron.expression import Expression, parse_expression
from graphile_worker.cron.field import KINDS, Kind
from graphile_worker.cron.in_words import in_words

SENTENCES = {
    "* * * * *": "Every minute",
    "*/5 * * * *": "Every 5 minutes",
    "0,30 * * * *": "Every 30 minutes",
    "*/7 * * * *": "At minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour",
    "5 * * * *": "At minute 5 of every hour",
    "0-9,20,21 * * * *": "At minutes 0 to 9, 20 and 21 of every hour",
    "0 4 * * *": "At 04:00 every day",
    "5 8,20 * * *": "At 08:05 and 20:05 every day",
    "0 */6 * * *": "At 00:00, 06:00, 12:00 and 18:00",
    "0 */2 * * *": "At minute 0 of every 2nd hour from midnight",
    "* */12 * * *": "Every minute of every 12th hour from midnight",
    "0 */5 * * *": "At minute 0 of the hours 0, 5, 10, 15 and 20 every day",
    "*/10 8-18 * * 1-5": "Every 10 minutes from 08:00 to 18:50 on Mondays to Fridays",
    "* 8 * * *": "Every minute from 08:00 to 08:59 every day",
    "*/15 8-9,14 * * *": "Every 15 minutes from 08:00 to 09:45 and from 14:00 to 14:45 every day",
    "5 8-18 * * 6,7": "At minute 5 of the hours 8 to 18 on Saturdays and Sundays",
    "1,2,5,8,9 8 * * *": "At minutes 1, 2, 5, 8 and 9 of hour 8 every day",
    "0 4 1 * *": "At 04:00 on day 1 of the month",
    "0 4 1-7,15 */3 *": (
        "At 04:00 on the days 1 to 7 and 15 of the month in January, April, July and October"
    ),
    "0 4 13 * 5": "At 04:00 on day 13 of the month, and also on Fridays",
    "0 4 13 6-8 5": ("At 04:00 on day 13 of the month, and also on Fridays, all in June to August"),
    "* * * 2 *": "Every minute in February",
    "0 0 29 2 *": "At 00:00 on day 29 of the month in February",
    "0 0 30 2 *": "At 00:00 on day 30 of the month in February, which never comes",
    "0 0 * * 0-6": "At 00:00 every day",
}


@pytest.mark.parametrize("text", SENTENCES)
def test_an_expression_is_said_in_words(text: str) -> None:
    assert in_words(parse_expression(text)) == SENTENCES[text]


def part(kind: Kind) -> st.SearchStrategy[str]:
    number = st.integers(kind.low, kind.highest_written)
    ranges = st.lists(number, min_size=2, max_size=2, unique=True).map(sorted)
    return st.one_of(
        st.just("*"),
        st.integers(1, 80).map("*/{}".format),
        number.map(str),
        ranges.map(lambda pair: f"{pair[0]}-{pair[1]}"),
    )


def field(kind: Kind) -> st.SearchStrategy[str]:
    return st.lists(part(kind), min_size=1, max_size=5).map(",".join)


EXPRESSIONS = st.tuples(*map(field, KINDS)).map(" ".join).map(parse_expression)


def meant(expression: Expression) -> list[tuple[int, ...]]:
    return [one.values for one in expression.fields]


@given(EXPRESSIONS, EXPRESSIONS)
def test_same_words_are_said_of_the_same_minutes_and_of_no_others(
    one: Expression, other: Expression
) -> None:
    assert in_words(one).startswith(("At ", "Every "))
    plain = " ".join(",".join(map(str, values)) for values in meant(one))
    assert in_words(parse_expression(plain)) == in_words(one)
    assert (in_words(one) == in_words(other)) == (meant(one) == meant(other))


@given(st.data())
def test_a_field_that_differs_is_heard(data: st.DataObject) -> None:
    texts = [data.draw(field(kind)) for kind in KINDS]
    place = data.draw(st.integers(0, len(KINDS) - 1))
    changed = [*texts]
    changed[place] = data.draw(field(KINDS[place]))
    one, other = (parse_expression(" ".join(fields)) for fields in (texts, changed))
    assert (in_words(one) == in_words(other)) == (meant(one) == meant(other))
