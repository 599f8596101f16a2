"""Raw payloads: `to_json` and `from_json`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.errors import PayloadError
from graphile_worker.payloads.codec import NoPayloadCodec, from_json, to_json

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
finite = leaves.filter(lambda leaf: not (isinstance(leaf, float) and math.isinf(leaf)))
json_values = st.recursive(
    finite, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20
)
any_text = st.text(st.sampled_from('a\\u0"\0\ud800é'), max_size=4)
any_values = st.recursive(
    st.none() | st.floats() | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=6,
)


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


@given(json_values)
def test_a_json_value_is_read_back_as_it_was(value):
    assert from_json(to_json(value)) == value
    assert json.loads(to_json(value)) == value


@given(any_values)
def test_a_value_is_refused_exactly_when_json_in_postgresql_cannot_hold_it(value):
    plain = json.dumps(value, ensure_ascii=False)
    has_nul = _any_text(value, lambda text: "\0" in text)
    has_surrogate = "\ud800" in plain
    has_nan = _any_float(value, lambda number: not math.isfinite(number))
    if has_nul or has_surrogate or has_nan:
        with pytest.raises(PayloadError):
            to_json(value)
    else:
        assert from_json(to_json(value)) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "$: nan is not a JSON number"),
        ({"a": {"b": [1, -math.inf]}}, "$.a.b[1]: -inf is not a JSON number"),
        ({"a b": math.nan}, "$['a b']: nan is not a JSON number"),
        ("\0", "$: a NUL character, which PostgreSQL cannot hold"),
        ([{"k": "a\0"}], "$[0].k: a NUL character, which PostgreSQL cannot hold"),
        ({"k": {"\0": 1}}, "$.k: in a key: a NUL character, which PostgreSQL cannot hold"),
        ({"k": "\udfff"}, "$.k: a lone surrogate, which is not Unicode text"),
        ({"k": {"\ud800": 1}}, "$.k: in a key: a lone surrogate, which is not Unicode text"),
        (object(), "$: a value or key of type object has no form in JSON"),
        ({"k": {None: 1}}, "$: a value or key of type NoneType has no form in JSON"),
        (Real("nan"), "$: nan is not a JSON number"),
        (msgspec.Raw(b'{"k": "\\u0000"}'), "$.k: a NUL character, which PostgreSQL cannot hold"),
    ],
)
def test_a_refusal_names_what_and_where(value, message):
    with pytest.raises(PayloadError) as refused:
        to_json(value)
    assert str(refused.value) == message


def test_a_value_that_contains_itself_is_refused():
    value: list[object] = []
    value.append(value)
    with pytest.raises(PayloadError, match="nested too deep, or a value that contains itself"):
        to_json(value)


def test_raw_json_that_is_none_is_refused():
    with pytest.raises(PayloadError, match="not JSON"):
        to_json({"k": msgspec.Raw(b"{bad")})


@pytest.mark.parametrize("text", ["\\u0000", "null", "\\0", 'say "null"'])
def test_text_that_only_looks_like_a_fault_is_stored(text):
    assert from_json(to_json({"k": text})) == {"k": text}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00Z"'),
        ((1, 2), "[1,2]"),
        ({1: "a"}, '{"1":"a"}'),
        (Text("é"), '"é"'),
        (Number(5), "5"),
        (Real(1.5), "1.5"),
        (MappingProxyType({"a": Text("b")}), '{"a":"b"}'),
        (None, "null"),
    ],
)
def test_what_has_a_form_in_json_is_written(value, text):
    assert to_json(value) == text


def test_dataclasses_are_written_as_objects():
    @dataclass
    class Point:
        x: int

    assert to_json([Point(1)]) == '[{"x":1}]'


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**400, -(10**4000)])
def test_whole_numbers_of_any_size_stay_exact(number):
    assert to_json({"n": number}) == f'{{"n":{number}}}'
    assert from_json(f'{{"n": {number}}}') == {"n": number}


def test_odd_json_of_other_producers_is_read():
    assert from_json(r'{"a": "\ud800", "b": 1e400}') == {"a": "\ud800", "b": math.inf}


@pytest.mark.parametrize("text", ["", "{", "NaN", "[1] 2", "[" * 100_000, "1" * 5000])
def test_what_is_not_json_is_a_payload_error(text):
    with pytest.raises(PayloadError):
        from_json(text)


def test_no_payload_is_stored_as_an_empty_object():
    codec = NoPayloadCodec()
    assert codec.encode(None) == "{}"
    assert codec.decode('{"_cron": {}}') is None
    with pytest.raises(PayloadError, match="takes no payload, got dict"):
        codec.encode({})  # type: ignore[arg-type]


def _any_text(value, is_fault) -> bool:
    if isinstance(value, str):
        return is_fault(value)
    if isinstance(value, dict):
        return any(_any_text(part, is_fault) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_any_text(item, is_fault) for item in value)


def _any_float(value, is_fault) -> bool:
    if isinstance(value, float):
        return is_fault(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_any_float(part, is_fault) for part in parts)
