"""Payloads and errors without secrets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphile_worker.admin.service.redaction import HIDDEN, Redactor

redactor = Redactor(["favouriteColour"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    "key",
    [
        *("password", "DB_PASSWORD", "userPassword", "apiKey", "api-key", "x-api_key"),
        *("accessToken", "card", "card_number", "cardNumbers", "iban", "Set-Cookie", "SSN"),
        "favourite_colour",
    ],
)
def test_names_that_hide(key: str) -> None:
    assert redactor.is_secret(key)


@pytest.mark.parametrize("key", ["id", "discard", "cardinality", "company", "span", "author", ""])
def test_names_that_do_not(key: str) -> None:
    assert not redactor.is_secret(key)


def test_secrets_are_hidden_at_any_depth_and_the_rest_stays_as_it_is() -> None:
    text = '{"id": 12345678901234567890123,\n "a": [{"token": "x", "b": 1.10}], "secret": {"c": [1, {}]}}'
    shown = redactor.json(text)
    assert shown.text == (
        f'{{"id": 12345678901234567890123,\n "a": [{{"token": "{HIDDEN}", "b": 1.10}}],'
        f' "secret": "{HIDDEN}"}}'
    )
    assert (shown.hidden, shown.is_cut) == (2, False)


def test_escapes_in_keys_and_braces_in_texts_hide_nothing_from_us() -> None:
    assert redactor.json('{"p\\u0061ssword": "x}"}').text == f'{{"p\\u0061ssword": "{HIDDEN}"}}'
    assert redactor.json('{"secret": ["}", "\\"]"], "b": "{"}').text == (
        f'{{"secret": "{HIDDEN}", "b": "{{"}}'
    )


def test_a_beginning_of_json_shows_no_secret_either() -> None:
    text = '{"a": 1, "password": "hunter2"}'
    for end in range(len(text)):
        assert "hunter" not in redactor.json(text[:end]).text


def test_nor_does_one_that_ends_within_a_secret() -> None:
    text = r'{"a": "b", "password": "x1, y2:z3 {w4} \"v5\n", "c": 1}'
    for end in range(text.index("x1"), text.index('", "c"') + 1):
        shown = redactor.json(text[:end])
        assert shown.text == f'{{"a": "b", "password": "{HIDDEN}"', text[:end]
        assert shown.hidden == 1
    assert redactor.json('{"a": "b, c').text == '{"a": "b, c'


def test_deep_json_is_no_harder_than_flat() -> None:
    assert redactor.json("[" * 100_000 + "]" * 100_000, chars=1_000).is_cut


@settings(max_examples=40, deadline=None)
@given(json_values)
def test_without_secrets_json_means_the_same(value: object) -> None:
    shown = Redactor(enabled=False).json(json.dumps(value), indent=True)
    assert json.loads(shown.text) == value


def test_indented_as_people_read_it() -> None:
    assert Redactor().json('{"a":[1,{"b":{}}],"c":[]}', indent=True).text == (
        '{\n  "a": [\n    1,\n    {\n      "b": {}\n    }\n  ],\n  "c": []\n}'
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("connect postgres://u:hunter2@h/db failed", f"connect postgres://u:{HIDDEN}@h/db failed"),
        ("password=hunter2 user=x", f"password={HIDDEN} user=x"),
        ('{"token": "hunter2", "a": 1}', f'{{"token": {HIDDEN}, "a": 1}}'),
        ("Authorization: Bearer hunter2", f"Authorization: {HIDDEN}"),
        ("{'api_key': 'hunter2'}", f"{{'api_key': {HIDDEN}}}"),
        ('{"a": 1, "token": "eyJhbGci', f'{{"a": 1, "token": {HIDDEN}'),
        ("password='it is", f"password={HIDDEN}"),
        ("password='it is\\", f"password={HIDDEN}"),
        ("password='it\nis' a=1", f"password={HIDDEN} a=1"),
        ("'token': b'hunter2', 'a': 1", f"'token': {HIDDEN}, 'a': 1"),
        ("token=b'hunter2", f"token={HIDDEN}"),
        ("it's no: 'a' of password=x", f"it's no: 'a' of password={HIDDEN}"),
        ("a='it is\npassword=x, b", f"a='it is\npassword={HIDDEN}, b"),
        ("key: 'tis all\n that there is", "key: 'tis all\n that there is"),
        ("connect postgres://u:hunter", f"connect postgres://u:{HIDDEN}"),
        ("connect postgres://u:12-x", f"connect postgres://u:{HIDDEN}"),
        ("see http://h:8080", "see http://h:8080"),
        ("see 'http://h:8080').", "see 'http://h:8080')."),
        ("see http://[::1]:8080", "see http://[::1]:8080"),
        ("no: password=hunter2", f"no: password={HIDDEN}"),
        ("a=b=c token=hunter2", f"a=b=c token={HIDDEN}"),
        ("unexpected token at line 3", "unexpected token at line 3"),
        ("CardDeclined: insufficient funds", "CardDeclined: insufficient funds"),
        ("AuthError: no such user", "AuthError: no such user"),
        ("TokenExpired: abc", f"TokenExpired: {HIDDEN}"),
        ("CardNumber: 4111", f"CardNumber: {HIDDEN}"),
    ],
)
def test_errors(text: str, shown: str) -> None:
    assert redactor.error(text).text == shown
