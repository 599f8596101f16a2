"""`_cron` and `_trace` in stored payloads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.payloads.reserved_keys import with_trace, without_reserved_keys

keys = st.sampled_from(["a", "_cron", "_trace", '"_cron"'])
objects = st.dictionaries(keys, st.dictionaries(keys, st.integers()) | st.integers())


@given(objects, st.booleans())
def test_reserved_keys_of_the_payload_itself_are_dropped(payload, keep_cron):
    dropped = {"_trace"} if keep_cron else {"_trace", "_cron"}
    left = {key: value for key, value in payload.items() if key not in dropped}
    assert json.loads(without_reserved_keys(json.dumps(payload), keep_cron=keep_cron)) == left


@given(st.lists(objects | st.integers()))
def test_reserved_keys_of_items_are_dropped(items):
    left = [
        {key: value for key, value in item.items() if not key.startswith("_")}
        if isinstance(item, dict)
        else item
        for item in items
    ]
    assert json.loads(without_reserved_keys(json.dumps(items), keep_cron=False)) == left


def test_other_values_stay_byte_by_byte():
    text = '{"a": 1.10, "_trace": {}, "b": [1,  2], "big": 100000000000000000000000001}'
    left = without_reserved_keys(text, keep_cron=True)
    assert left == '{"a":1.10,"b":[1,  2],"big":100000000000000000000000001}'


@pytest.mark.parametrize(
    "text",
    ['{"_trace": ', '"_trace"', "", '{"a": "_trace"}', '[1, "_trace"]', '  {"a": "\\"_trace\\""}'],
)
def test_what_has_no_reserved_keys_or_is_no_json_is_left_as_it_is(text):
    assert without_reserved_keys(text, keep_cron=False).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "traced"),
    [
        ('{"a":1.50}', '{"a":1.50,"_trace":{"t":1}}'),
        ('{"_trace":0,"b":2}', '{"_trace":{"t":1},"b":2}'),
        ('[{"a":1},2,[{}]]', '[{"a":1,"_trace":{"t":1}},2,[{}]]'),
        ("{}", '{"_trace":{"t":1}}'),
        ('"text"', '"text"'),
        ("null", "null"),
        ("12345678901234567890123", "12345678901234567890123"),
    ],
)
def test_a_trace_is_put_into_objects_and_items_alone(text: str, traced: str) -> None:
    assert with_trace(text, b'{"t":1}') == traced
