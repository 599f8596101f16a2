"""The value: text and back, and the payload of a run."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.crontabs import ZONES, meanings

from graphile_worker import CronJobKeyMode, Crontab, CrontabError, CrontabFill, parse_crontab
from graphile_worker.cron.expression import parse_expression
from graphile_worker.cron.fill import LONGEST, parse_fill
from graphile_worker.payloads.codec import to_json

EIGHT = parse_expression("0 8 * * *")
FIRST = st.sampled_from("_abzAZ")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def words(marks: str) -> st.SearchStrategy[str]:
    return st.builds(str.__add__, FIRST, st.text(f"abcXYZ019{marks}", max_size=20))


ENTRIES = st.builds(
    Crontab,
    expression=meanings().map(lambda meaning: parse_expression(meaning.text)),
    task=words("_:/-"),
    id=st.none() | words("_-"),
    fill=st.integers(0, 10**9).map(CrontabFill.seconds),
    max_attempts=st.none() | st.integers(1, 32767),
    queue=st.none() | st.text("abcXYZ019_:-", min_size=1, max_size=20),
    priority=st.none() | st.integers(-32768, 32767),
    job_key=st.none() | TEXT,
    job_key_mode=st.none() | st.sampled_from(CronJobKeyMode),
    flags=st.lists(TEXT.filter(lambda text: "," not in text), max_size=3).map(tuple),
    timezone=st.sampled_from([*ZONES, "Etc/GMT+5"]),
    payload_json=st.none() | st.dictionaries(TEXT, JSON, max_size=3).map(to_json),
)


@settings(deadline=None)
@given(entry=ENTRIES)
def test_its_text_is_parsed_to_the_same_value(entry: Crontab):
    text = str(entry)
    assert parse_crontab(text) == [entry]
    assert str(parse_crontab(text)[0]) == text
    assert hash(parse_crontab(text)[0]) == hash(entry)


def test_the_text_says_no_more_than_needed():
    assert str(Crontab(expression=EIGHT, task="t")) == "0 8 * * * t"
    full = Crontab(
        expression=EIGHT,
        task="t",
        id="morning",
        fill=CrontabFill(h=25, s=60),
        max_attempts=3,
        queue="q",
        priority=-10,
        job_key="a key&=",
        flags=("gpu",),
        timezone="Europe/Paris",
        payload_json='{"a":1}',
    )
    assert str(full) == (
        "0 8 * * * t ?id=morning&fill=1d1h1m&max=3&priority=-10&queue=q&jobKey=a%20key%26%3D"
        '&flags=gpu&tz=Europe/Paris {"a":1}'
    )


def test_it_is_a_value():
    entry = Crontab(expression=EIGHT, task="t")
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.task = "u"  # type: ignore[misc]
    assert dataclasses.replace(entry, queue="q").queue == "q"
    with pytest.raises(CrontabError, match="queue must be made of"):
        dataclasses.replace(entry, queue="a queue")


def test_the_payload_of_a_run_tells_when_it_was_meant():
    """The form that Node writes, to the character."""
    at = datetime(2021, 1, 1, 4, tzinfo=UTC)
    bare = Crontab(expression=EIGHT, task="t")
    assert bare.payload_at(at, backfilled=False) == (
        '{"_cron":{"ts":"2021-01-01T04:00:00.000Z","backfilled":false}}'
    )
    empty = dataclasses.replace(bare, payload_json="{}")
    assert empty.payload_at(at, backfilled=False) == bare.payload_at(at, backfilled=False)
    full = dataclasses.replace(bare, payload_json='{"a":{"b":"_cron"}}')
    assert full.payload_at(at, backfilled=True) == (
        '{"a":{"b":"_cron"},"_cron":{"ts":"2021-01-01T04:00:00.000Z","backfilled":true}}'
    )


def test_a_payload_of_ones_own_does_not_hide_the_time():
    at = datetime(2021, 1, 1, 4, tzinfo=UTC)
    [entry] = parse_crontab("* * * * * t {_cron: 1, a: 2}")
    pairs = json.loads(entry.payload_at(at, backfilled=False), object_pairs_hook=list)
    assert [key for key, _ in pairs] == ["a", "_cron"]
    assert entry.payload == {"_cron": 1, "a": 2}, "as it is configured"
    entry.payload.clear()
    assert entry.payload, "nobody can change it"


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        ('{"a": 1}\n', '{"a":1}'),
        ("{ }", "{}"),
        ('{\n "a": [1, 2.5], "b": "é"\n}', '{"a":[1,2.5],"b":"é"}'),
        (r'{"\u005fcron": 1}', '{"_cron":1}'),
    ],
)
def test_a_payload_is_kept_as_it_is_stored(payload: str, kept: str):
    at = datetime(2021, 1, 1, 4, tzinfo=UTC)
    entry = Crontab(expression=EIGHT, task="t", payload_json=payload)
    assert entry.payload_json == kept
    assert parse_crontab(str(entry)) == [entry]
    pairs = json.loads(entry.payload_at(at, backfilled=False), object_pairs_hook=list)
    assert [key for key, _ in pairs].count("_cron") == 1


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ("[1]", "payload_json must be JSON text of an object, got '[1]'"),
        ("null", "payload_json must be JSON text of an object, got 'null'"),
        ({"a": 1}, "payload_json must be JSON text of an object, got {'a': 1}"),
        (b"{}", "payload_json must be JSON text of an object, got b'{}'"),
        ("{", "payload_json: "),
        ("", "payload_json: "),
        ("{a: 1}", "payload_json: "),
        (r'{"a": "\u0000"}', "payload_json: "),
        ('{"a": 1e999}', "payload_json: "),
    ],
)
def test_a_payload_that_the_database_would_refuse_is_refused(payload: object, says: str):
    """It would be refused with the jobs of all other entries, every minute."""
    with pytest.raises(CrontabError) as caught:
        Crontab(expression=EIGHT, task="t", payload_json=payload)  # type: ignore[arg-type]
    assert str(caught.value).startswith(says)


def test_runs_are_told_in_utc():
    [entry] = parse_crontab("0 8 * * * t ?tz=Europe/Paris")
    start = datetime(2026, 3, 28, 9, tzinfo=ZoneInfo("Europe/Paris"))
    runs = entry.runs(start)
    assert next(runs) == datetime(2026, 3, 29, 6, tzinfo=UTC)
    assert next(runs).tzinfo is UTC
    [never] = parse_crontab("0 8 30 2 * t")
    assert list(never.runs(start)) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("2m", 120), ("3h", 10_800), ("1m4w3d2h", 2_685_660), ("0s", 0), ("1h1h", 7200)],
)
def test_a_fill_in_text(text, seconds):
    assert parse_fill(text) == CrontabFill.seconds(seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "1 h", "-1h", "1.5h", "1y", "1H", "1h,2m"])
def test_what_is_no_fill(text):
    with pytest.raises(ValueError, match="units"):
        parse_fill(text)


def test_a_fill_in_python():
    assert CrontabFill.weeks(1) == CrontabFill.days(7) == CrontabFill.hours(168)
    assert CrontabFill.minutes(1) == CrontabFill(s=60) < CrontabFill(w=1, d=1, h=1, m=1)
    assert str(CrontabFill(w=1, d=1, h=1, m=1, s=1)) == "1w1d1h1m1s"
    assert str(CrontabFill()) == "0s"
    assert CrontabFill.weeks(10**20).period == LONGEST
    for wrong in (-1, 1.5, True, "1"):
        with pytest.raises(CrontabError, match="fill: h must be a whole number, at least 0"):
            CrontabFill.hours(wrong)  # type: ignore[arg-type]
