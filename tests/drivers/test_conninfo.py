from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.drivers.conninfo import parse
from graphile_worker.errors import ConfigurationError

URLS = {
    "postgres://": {},
    "postgresql://localhost": {"host": "localhost"},
    "postgresql://localhost:5433": {"host": "localhost", "port": "5433"},
    "postgresql://localhost/mydb": {"host": "localhost", "dbname": "mydb"},
    "postgresql://user@localhost": {"user": "user", "host": "localhost"},
    "postgresql://user:secret@localhost": {"user": "user", "password": "secret", "host": "localhost"},
    "postgresql+asyncpg://h/d": {"host": "h", "dbname": "d"},
    "postgresql+psycopg://h/d": {"host": "h", "dbname": "d"},
    "postgres+psycopg2://h/d": {"host": "h", "dbname": "d"},
    "  postgres://h/d\n": {"host": "h", "dbname": "d"},
    "postgresql://h1:1,h2:2/d": {"host": "h1,h2", "port": "1,2", "dbname": "d"},
    "postgresql://h1,h2:2/d": {"host": "h1,h2", "port": ",2", "dbname": "d"},
    "postgresql://h1,h2/d": {"host": "h1,h2", "dbname": "d"},
    "postgresql:///d?host=a,b&port=1,2": {"host": "a,b", "port": "1,2", "dbname": "d"},
    "postgresql://[::1]:5433/d": {"host": "::1", "port": "5433", "dbname": "d"},
    "postgresql://[fe80::1%25eth0]/d": {"host": "fe80::1%eth0", "dbname": "d"},
    "postgresql://[::1],h2:2/d": {"host": "::1,h2", "port": ",2", "dbname": "d"},
    "postgresql://%2Ftmp%2Fsock/d": {"host": "/tmp/sock", "dbname": "d"},
    "postgresql://u@%2Fvar%2Frun:6000/d": {"user": "u", "host": "/var/run", "port": "6000", "dbname": "d"},
    "postgresql:///d?host=/tmp": {"host": "/tmp", "dbname": "d"},
    "postgresql://localhost/d?host=/tmp": {"host": "/tmp", "dbname": "d"},
    "postgresql://a%40b:c%3Ad@h/e%2Ff": {"user": "a@b", "password": "c:d", "host": "h", "dbname": "e/f"},
    "postgresql://u:p@ss@h/d": {"user": "u", "password": "p@ss", "host": "h", "dbname": "d"},
    "postgresql://u:a+b@h/d": {"user": "u", "password": "a+b", "host": "h", "dbname": "d"},
    "postgresql://u:p#1@h/d": {"user": "u", "password": "p#1", "host": "h", "dbname": "d"},
    "postgresql://h/d?user=u&password=p": {"host": "h", "dbname": "d", "user": "u", "password": "p"},
    "postgresql://h/d?database=e": {"host": "h", "dbname": "e"},
    "postgresql://h/d?ssl=true": {"host": "h", "dbname": "d", "sslmode": "require"},
    "postgresql://h/d?ssl=verify-full": {"host": "h", "dbname": "d", "sslmode": "verify-full"},
    "postgresql://h?options=-c%20geqo%3Doff": {"host": "h", "options": "-c geqo=off"},
    "postgresql://h?application_name=": {"host": "h"},
    "postgresql://h?%73slmode=require&": {"host": "h", "sslmode": "require"},
    "postgresql://h?channel_binding=require&keepalives=1": {"host": "h", "channel_binding": "require", "keepalives": "1"},
}  # fmt: skip


@pytest.mark.parametrize(("url", "keys"), URLS.items())
def test_a_url_is_read_as_libpq_reads_it(url, keys):
    assert parse(url) == keys


KEYWORDS = {
    "host=localhost port=5432 dbname=mydb": {"host": "localhost", "port": "5432", "dbname": "mydb"},
    "host = localhost  user= u": {"host": "localhost", "user": "u"},
    "password='a b' user=u": {"password": "a b", "user": "u"},
    r"password='it\'s \\ me'": {"password": r"it's \ me"},
    r"password=a\ b\'c": {"password": "a b'c"},
    "password='' user=u": {"user": "u"},
    "password= user=u": {"password": "user=u"},  # blanks may follow the equals sign
    "user=u password=": {"user": "u"},
    "user=a=b": {"user": "a=b"},
    "host=/tmp\nport=1": {"host": "/tmp", "port": "1"},
}


@pytest.mark.parametrize(("text", "keys"), KEYWORDS.items())
def test_a_keyword_string_is_read_as_libpq_reads_it(text, keys):
    assert parse(text) == keys


REFUSED = {
    "": "is empty",
    "   ": "is empty",
    "foo": "'foo' is not a PostgreSQL URL",
    "localhost:5432/db": "'localhost:5432/db' is not a PostgreSQL URL",
    "mysql://root:hunter2@h/db": "'mysql' URLs are not for PostgreSQL",
    "sqlite:///x.db": "'sqlite' URLs are not for PostgreSQL",
    "postgresql://h:54x2/d": "a port is a number",
    "postgresql://u:hun/ter2@h/d": "write '@' as %40",
    "postgresql://u:hun?ter2@h/d": "host and port cannot be read",
    "postgresql://::1/d": "an IPv6 address stands in brackets",
    "postgresql://[::1/d": "an IPv6 address stands in brackets",
    "postgresql://h/d%zz": "not followed by two hex digits",
    "postgresql://h/%ff": "not UTF-8",
    "postgresql://h/%00": "%00",
    "postgresql://h/\0": "NUL",
    "postgresql://h?sslmode": "no key=value",
    "postgresql://h?sslmod=require": "unknown key 'sslmod'; did you mean sslmode",
    "postgresql://h?aplication_name=x": "did you mean application_name",
    "postgresql://h?jit=off": "unknown key 'jit'; .*options=-c%20jit%3D",
    "postgresql://h?pgbouncer=true": "prepared_statements=False",
    "postgresql://h?schema=public": "an option of its own",
    "postgresql://h?sslcrldir=/x": "sslcrl",
    "postgresql://h?%20=x": "no key=value",
    "host=a passwd=b": "did you mean password",
    "host=a password=two words": "password='two words'",
    "password='open": "cannot be read",
    "= x": "cannot be read",
}


@pytest.mark.parametrize(("text", "why"), REFUSED.items())
def test_what_cannot_be_read_is_refused_in_one_line(text, why):
    with pytest.raises(ConfigurationError, match=why) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert "hun" not in str(caught.value)
    assert "ter2" not in str(caught.value)


any_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(user=any_text, password=any_text, host=any_text, dbname=any_text, options=any_text)
def test_percent_encoding_gives_every_part_back(user, password, host, dbname, options):
    url = "postgresql://{}:{}@{}/{}?options={}".format(
        *(quote(part, safe="") for part in (user, password, host, dbname, options))
    )
    assert parse(url) == {
        "user": user,
        "password": password,
        "host": host,
        "dbname": dbname,
        "options": options,
    }


@given(user=any_text, password=any_text)
def test_quoting_gives_every_value_back(user, password):
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'"

    text = f"user={quoted(user)} password={quoted(password)}"
    assert parse(text) == {"user": user, "password": password}
