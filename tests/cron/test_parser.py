"""Crontab text: what it says, what is refused, and where the caret stands."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graphile_worker import CronJobKeyMode, Crontab, CrontabError, CrontabFill, parse_crontab
from graphile_worker.cron.expression import parse_expression

FULL = """\
# A comment, an empty line, leading space and tabs.

  0   4\t* * 7   weekly_report
*/10,7,56-59 * * * * nested/folder/task ?id=a&fill=4w3d2h1m&max=3&queue=q:1&priority=-3 {x: {y: '# text'}}
0 8 * * 1-5 digest ?jobKey=the+key%21&jobKeyMode=preserve_run_at&tz=Europe/Paris {"a": 1, }
* * * * * _x-1:y ?job_key=k&flags=gpu,night
"""


def one(text: str) -> Crontab:
    [entry] = parse_crontab(text)
    return entry


def error_of(text: str) -> CrontabError:
    with pytest.raises(CrontabError) as caught:
        parse_crontab(text)
    return caught.value


def test_all_that_a_crontab_can_say():
    weekly, nested, digest, last = parse_crontab(FULL.replace("\n", "\r\n"))
    assert weekly == Crontab(expression=parse_expression("0 4 * * 0"), task="weekly_report")
    assert weekly.identifier == "weekly_report"
    assert weekly.payload is None
    assert nested.identifier == "a"
    assert nested.task == "nested/folder/task"
    assert nested.expression.minute.values == (0, 7, 10, 20, 30, 40, 50, 56, 57, 58, 59)
    assert nested.fill == CrontabFill(w=4, d=3, h=2, m=1)
    assert (nested.max_attempts, nested.queue, nested.priority) == (3, "q:1", -3)
    assert nested.payload == {"x": {"y": "# text"}}
    assert digest.job_key == "the key!"
    assert digest.job_key_mode is CronJobKeyMode.PRESERVE_RUN_AT
    assert digest.timezone == "Europe/Paris"
    assert digest.payload == {"a": 1}
    assert (last.task, last.job_key, last.flags) == ("_x-1:y", "k", ("gpu", "night"))
    assert last.job_key_mode is CronJobKeyMode.REPLACE, "is what a key means"


def test_nothing_is_an_empty_crontab():
    assert parse_crontab("") == parse_crontab("\n# only\r\n\n") == []


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert one("\ufeff0 8 * * * report").task == "report"


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("60 * * * * t", 1, "minute: 60 is out of range, expected 0 to 59"),
        ("  * 24 * * * t", 5, "hour: 24 is out of range"),
        ("* * 0 * * t", 5, "day of month: 0 is out of range, expected 1 to 31"),
        ("* * * 13 * t", 7, "month: 13"),
        ("* * * * 8 t", 9, "day of week: 8"),
        ("* * * * MON t", 9, "write the number"),
        ("30-10 * * * * t", 1, "must end above where it starts"),
        ("*/0 * * * * t", 3, "step"),
        ("* 1--100000000 * * * t", 3, "not a number"),
        ("@daily t", 1, "0 0 * * * for @daily"),
        ("* * * * t", 1, "expected five time fields and a task"),
        ("* * * * *", 1, "expected five time fields and a task"),
        ("run this every day at eight", 1, "expected five time fields and a task"),
        ("* * * * * 1st", 11, "the task identifier must be made of"),
        ("* * * * * a.b", 11, "the task identifier must be made of"),
        ("* * * * * t?id=a", 11, "the task identifier must be made of"),
        ("* * * * * " + "t" * 129, 11, "at most 128 characters long, got 129"),
        ("* * * * * t extra", 13, "expected ?options, or a payload"),
        ("* * * * * t ?id=a extra", 19, "expected ?options, or a payload"),
        ("* * * * * t ?", 13, "options are missing"),
        ("* * * * * t ?nope=1", 14, "unknown option 'nope'; there are id, fill, max"),
        ("* * * * * t ?fil=1h", 14, "did you mean 'fill'?"),
        ("* * * * * t ?max=1&max=2", 20, "the option 'max' is given twice"),
        ("* * * * * t ?jobKey=a&job_key=b", 23, "the option 'job_key' is given twice"),
        ("* * * * * t ?id=1a", 14, "id must be made of"),
        ("* * * * * t ?id=" + "a" * 513, 14, "at most 512"),
        ("* * * * * t ?fill=1", 14, "fill: expected numbers with the units"),
        ("* * * * * t ?fill", 14, "fill: expected numbers with the units"),
        ("* * * * * t ?fill=1h30", 14, "fill: expected numbers with the units"),
        ("* * * * * t ?fill=" + "9" * 16 + "w", 14, "a number of more than 15 digits"),
        ("* * * * * t ?max=0", 14, "max must be a whole number from 1 to 32767, got 0"),
        ("* * * * * t ?max=32768", 14, "max must be a whole number from 1 to 32767"),
        ("* * * * * t ?max=x", 14, "max must be a whole number, got 'x'"),
        ("* * * * * t ?priority=-32769", 14, "priority must be a whole number from -32768"),
        ("* * * * * t ?queue=a%20b", 14, "queue must be made of"),
        ("* * * * * t ?queue=" + "q" * 129, 14, "at most 128"),
        ("* * * * * t ?jobKey=", 14, "jobKey must be a text without NUL, and not empty"),
        ("* * * * * t ?jobKey=%00", 14, "without NUL"),
        ("* * * * * t ?jobKey=%ff", 14, "not percent-encoded UTF-8"),
        ("* * * * * t ?jobKey=" + "k" * 513, 14, "at most 512"),
        ("* * * * * t ?jobKeyMode=unsafe_dedupe", 14, "must be replace or preserve_run_at"),
        ("* * * * * t ?tz=Mars/Phobos", 14, "unknown time zone 'Mars/Phobos'"),
        ("* * * * * t ?flags=a,,b", 14, "a flag must be"),
        ("* * * * * t [1]", 13, "an object"),
        ("* * * * * t 'text'", 13, "an object"),
        ("* * * * * t {", 13, "must be one object { … } that ends on the same line"),
        ("* * * * * t {a: 1} x", 13, "ends on the same line"),
        ("* * * * * t {a: 1,, b: 2}", 20, "not JSON5: unexpected"),
        ("* * * * * t {a: Infinity}", 13, "$.a: inf is not a JSON number"),
        ("* * * * * t {a: [1e400]}", 13, "$.a[0]: inf is not a JSON number"),
        ('* * * * * t {"a": NaN}', 13, "$.a: nan is not a JSON number"),
        ('* * * * * t {"a": "\\u0000"}', 13, "NUL"),
        ('* * * * * t {"a": "\\ud800"}', 13, "surrogate"),
        ("* * * * * t " + "{a:" * 20_000 + "}", 13, "must be plain JSON"),
        ("* * * * * t " + "{a:" * 5_000 + "}", 13, "nested too deep"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_refused(text: str, column: int, reason: str):
    error = error_of(f"# first\n{text}")
    assert reason in error.reason
    assert (error.line, error.column, error.text) == (2, column, text)
    message = str(error)
    first, picture, caret = message.split("\n")
    assert first == f"line 2, column {column}: {error.reason}"
    shown, at = picture[4:], len(caret) - 5
    if len(text) < 80:
        assert shown.startswith(text[: at + 1].replace("\t", " "))
        assert at == column - 1
    assert caret.strip() == "^"
    assert len(message) < 500


def test_the_caret_keeps_its_place_in_a_long_line():
    text = "* * * * * t ?id=" + "a" * 200 + "&nope=1"
    _, picture, caret = str(error_of(text)).split("\n")
    assert picture[len(caret) - 1 :].startswith("nope=1")
    assert picture.startswith("    …")


def test_a_message_is_short_however_long_the_line():
    for text in ("x" * 1_000_000, "* * * * * t ?" + "a=b&" * 250_000):
        assert len(str(error_of(text))) < 10_000


def test_the_picture_does_not_steer_a_terminal():
    message = str(error_of("*\t* * * 9\x1b[31m t"))
    assert "\x1b" not in message
    assert "\t" not in message


def test_all_errors_of_a_text_are_told_at_once():
    error = error_of("61 24 * * * t\n* * * * * fine\n* * * * * t ?max=0&nope=1 x\n")
    places = [(one.line, one.column) for one in error.errors]
    assert places == [(1, 1), (1, 4), (3, 14), (3, 20), (3, 27)]
    assert (error.line, error.column) == (1, 1)
    assert str(error).startswith("5 errors\nline 1, column 1: minute: 61")
    assert str(error).count("^") == 5


def test_a_hundred_errors_are_kept_and_twenty_are_told():
    error = error_of("nonsense\n" * 100)
    assert len(error.errors) == 100
    assert str(error).count("^") == 20
    assert str(error).endswith("… and 80 more")


def test_one_error_is_its_own_list():
    error = error_of("nonsense")
    assert error.errors == (error,)


def test_two_entries_cannot_have_one_identifier():
    error = error_of("0 1 * * * t\n0 2 * * * t\n0 3 * * * t ?id=a\n0 4 * * * u ?fill=1h&id=a\n")
    assert [(one.line, one.column) for one in error.errors] == [(2, 1), (4, 22)]
    assert "the identifier 't' is taken by line 1" in error.errors[0].reason
    assert len(parse_crontab("0 1 * * * t\n0 2 * * * t ?id=second")) == 2


def test_an_id_that_is_the_task_says_nothing():
    assert one("* * * * * t ?id=t") == one("* * * * * t")


def test_a_payload_spanning_lines_is_two_errors():
    error = error_of("* * * * * t {a:\n  1}")
    assert [one.line for one in error.errors] == [1, 2]


def test_what_is_no_text_is_refused():
    thing: Any = b"* * * * * t"
    assert "expected crontab text, got bytes" in str(error_of(thing))


@pytest.mark.parametrize(
    "text",
    [
        "1" * 1_000_000 + " * * * * t",
        "1," * 500_000 + "1 * * * * t",
        ",".join(map(str, range(60))) + ",7" * 400_000 + " * * * * t",
        "* " * 500_000,
        " " * 1_000_000 + "x",
        "* * * * *" + " " * 1_000_000,
        "* * * * * " + "t" * 1_000_000,
        "* * * * * t ?" + "a=b&" * 250_000,
        "* * * * * t ?id=" + "&" * 1_000_000,
        "* * * * * t ?fill=" + "1h" * 500_000,
        "* * * * * t ?jobKey=" + "%41" * 300_000,
        "* * * * * t {a: '" + "x" * 1_000_000 + "'}",
        '* * * * * t {"a": "' + "x" * 1_000_000 + '"}',
        "* * * * * t " + "{" * 500_000 + "}" * 500_000,
        "* * * * * t ?tz=" + "a/" * 500_000,
        "* 1-1000000000000 * * * t",
        "# " + "x" * 1_000_000,
    ],
    ids=range(17),
)
def test_a_line_of_a_megabyte_is_read_quickly(text: str):
    started = time.perf_counter()
    with contextlib.suppress(CrontabError):
        parse_crontab(text)
    assert time.perf_counter() - started < 5


WORDS = st.sampled_from(
    [
        "*",
        "*/5",
        "1-5",
        "7",
        "0",
        "59",
        "60",
        "MON",
        "t",
        "t/u",
        "?id=a",
        "?fill=1h",
        "&max=3",
        "?tz=",
        "Europe/Paris",
        "{a:1}",
        "{",
        "}",
        "'",
        '"',
        "%",
        "#",
        ",",
        "-",
        "\t",
        "\n",
        "\r",
    ]
)


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        st.text(),
        st.text(st.characters(exclude_categories=[])),  # surrogates too
        st.lists(WORDS).map(" ".join),
        st.lists(WORDS).map("".join),
        st.text().map("* * * * * t ".__add__),
        st.text().map("* * * * * t ?".__add__),
        st.text().map("* * * * * t ?jobKey=".__add__),
        st.text().map("* * * * * t ?tz=".__add__),
        st.text().map(lambda text: f"* * * * * t {{{text}}}"),
    )
)
@example("* * * * * t {a: 1}}")
@example("* * * * * t ?tz=Europe")
@example("* * * * * t {'\\u{110000}': 1}")
def test_whatever_the_text_is_it_parses_or_is_a_crontab_error(text: str):
    outcome = parsed(text)
    if isinstance(outcome, CrontabError):
        assert str(outcome)
        for error in outcome.errors:
            assert text.split("\n")[(error.line or 0) - 1].startswith(error.text or "")
            assert 1 <= (error.column or 0) <= len(error.text or "") + 1
    else:
        assert [one(str(entry)) for entry in outcome] == outcome


def parsed(text: str) -> list[Crontab] | CrontabError:
    try:
        return parse_crontab(text)
    except CrontabError as error:
        return error
