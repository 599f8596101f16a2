from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphile_worker.drivers.conninfo import parse
from graphile_worker.drivers.redact import redact
from graphile_worker.errors import ConfigurationError

SHOWN = {
    "postgresql://u:secret@h:5432/d": "postgresql://u:***@h:5432/d",
    "postgresql://u@h/d?sslmode=require": "postgresql://u@h/d?sslmode=require",
    "postgresql://h1:1,[::1]:2/d": "postgresql://h1:1,[::1]:2/d",
    "postgresql:///d?host=/tmp&port=1": "postgresql:///d?host=/tmp&port=1",
    "postgresql://h/d?user=u&password=secret": "postgresql://h/d?user=u&password=***",
    "postgresql://h/d?%70assword=secret": "postgresql://h/d?%70assword=***",
    "postgresql://h/d?sslpassword=secret": "postgresql://h/d?sslpassword=***",
    "postgresql://h/d?pasword=secret": "postgresql://h/d?***",
    "postgresql://u:se@cret@h/d": "postgresql://u:***@h/d",
    "postgresql://u:se/cret@h/d": "postgresql://u:***@h/d",
    "postgresql://u:se?cret@h/d": "postgresql://***",
    "postgresql://u:secret/d": "postgresql://***/d",
    "mysql://u:secret@h/d": "mysql://u:***@h/d",
    "u:secret@h/d": "***@h/d",
    "host=h user=u password=secret dbname=d": "host=h user=u password=***",
    "host=h user=u": "host=h user=u",
    "password='two secret' user=u": "password=***",
    "password = secret": "***",
    "passwd=secret": "passwd=***",
    "user='a b' password=secret": "user=***",
    "embedded:?temporary": "embedded:?temporary",
    "foo": "foo",
    "": "",
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.items())
def test_a_connection_string_is_shown_without_its_secrets(text, shown):
    assert redact(text) == shown


def url(password: str) -> str:
    return f"postgresql://joe:{password}@db.example/app"


passwords = st.text(min_size=4).filter(
    lambda text: (
        text not in "postgresql://joe:***@db.example/app?password=***" and not text.isspace()
    )
)


@given(passwords)
def test_an_unencoded_password_never_shows(password):
    assert password not in redact(url(password))


@given(passwords.filter(lambda text: text.isprintable()))
def test_an_encoded_password_never_shows(password):
    encoded = quote(password, safe="", errors="replace")
    shown = redact(f"postgresql://joe:{encoded}@h/d?password={encoded}")
    assert encoded not in shown
    assert password not in shown


@given(passwords)
def test_a_keyword_password_never_shows(password):
    assume("'" not in password)
    assume(password.strip() not in "host=h user=joe password=***")
    assert password not in redact(f"host=h user=joe password='{password}' dbname=d")
    assert password not in redact(f"host=h user=joe password={password} dbname=d")


def complaint(text: str) -> str:
    try:
        parse(text)
    except ConfigurationError as error:
        return str(error)
    return ""


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=8, max_size=20))
def test_no_error_shows_a_password(password):
    for text in (
        url(password),
        f"host=h password={password} x",
        f"postgres://h?password={password}",
    ):
        assert password not in complaint(text)
