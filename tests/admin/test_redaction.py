"""Payloads and errors without secrets."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
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
        (r'"{\"token\": \"hunter 2\", \"a\": 1}"', rf'"{{\"token\": {HIDDEN}, \"a\": 1}}"'),
        (
            r"""'{\\"token\\": \\"hunter 2\\", \\"a\\": 1}'""",
            rf"""'{{\\"token\\": {HIDDEN}, \\"a\\": 1}}'""",
        ),
        (r'"{\"token\": \"hunter', rf'"{{\"token\": {HIDDEN}'),
        (r'"{\"token\": \"hunter" and more', rf'"{{\"token\": {HIDDEN}" and more'),
        (r'"say \"token=hunter2\" to it"', rf'"say \"token={HIDDEN}\" to it"'),
        (r"token=\hunter\2", f"token={HIDDEN}"),
        (r"""'{"token": "hunter\\"2 x", "a": 1}'""", f"""'{{"token": {HIDDEN}, "a": 1}}'"""),
        (r'{"token": "C:\\", "a": 1}', f'{{"token": {HIDDEN}a": 1}}'),
    ],
)
def test_errors(text: str, shown: str) -> None:
    assert redactor.error(text).text == shown


quotings: st.SearchStrategy[Callable[[str], str]] = st.sampled_from(
    [repr, json.dumps, lambda text: json.dumps({"body": text, "a": [text]})]
)
text_of_signs = st.text("\"'\\ {}[],:=ab\n", max_size=8)


@settings(max_examples=200, deadline=None)
@given(text_of_signs, text_of_signs, st.lists(quotings, max_size=5))
@example('"', " ", [repr, json.dumps, repr])
@example("\\", "", [json.dumps, json.dumps])
def test_json_quoted_in_an_error_shows_no_secret_however_often_it_was_quoted(
    before: str, after: str, quotings: list[Callable[[str], str]]
) -> None:
    text = json.dumps({"a": 1, "password": f"{before}QQQQ{after}", "kept": "as it is"})
    for quoted in quotings:
        text = quoted(text)
    shown = redactor.error(f"ValueError: bad body {text}").text
    assert "Q" not in shown
    assert "as it is" in shown


@settings(max_examples=200, deadline=None)
@given(
    text_of_signs,
    text_of_signs,
    st.lists(quotings, min_size=1, max_size=3),
    st.floats(0, 1, exclude_max=True),
)
def test_nor_does_json_within_json_which_stays_json(
    before: str, after: str, quotings: list[Callable[[str], str]], cut: float
) -> None:
    text = json.dumps({"a": [1, {"password": f"{before}QQQQ{after}"}], "kept": "as it is"})
    for quoted in quotings:
        text = quoted(text)
    whole = json.dumps({"id": 7, "body": text, "more": "as it is"})
    shown = redactor.json(whole)
    assert json.loads(shown.text).keys() == {"id", "body", "more"}
    assert "Q" not in shown.text
    assert shown.hidden
    assert "Q" not in redactor.json(whole[: int(cut * len(whole))]).text


def test_texts_that_hold_no_json_stay_as_they_are() -> None:
    text = json.dumps({"text": "the token: 5, of {...}", "to": ["password=x", "{}", "[1]", ""]})
    assert redactor.json(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "\\" * 1_000_000,
        '\\"' * 500_000,
        "token=" + "\\" * 1_000_000,
        "token" + "\\" * 1_000_000,
        'token="' + "\\" * 1_000_000,
        'token=\\"' + '\\\\"' * 300_000,
        "".join(f'aa={chr(92) * number}"' for number in range(1_400)),
        "aa='\\\"" * 150_000,
        "tokentoken" * 100_000,
    ],
    ids=range(9),
)
def test_no_text_takes_long(text: str) -> None:
    """A step for each pair of characters would take longer than a test may."""
    redactor.error(text)
    redactor.json(json.dumps({"a": "{" + text}))
    redactor.json('{"a": "{' + text)
