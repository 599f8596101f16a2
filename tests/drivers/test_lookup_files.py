from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.drivers.lookup_files import password_in, read_passfile, service_in
from graphile_worker.errors import ConfigurationError

PASSFILE = r"""
# a comment: with: four: colons: in it
db.example:5432:app:joe:first
db.example:*:*:joe:any port
*:*:*:ann:with \: colon and \\ backslash
localhost:*:app:joe:socket
::1
\:\:1:*:*:joe:v6
too:few:fields:only
*:*:*:empty:
*:*:*:space: x """


@pytest.mark.parametrize(
    ("host", "port", "database", "user", "password"),
    [
        ("db.example", 5432, "app", "joe", "first"),
        ("db.example", 5433, "other", "joe", "any port"),
        ("elsewhere", 1, "x", "ann", r"with : colon and \ backslash"),
        ("/var/run/postgresql", 5432, "app", "joe", "socket"),
        ("::1", 5432, "app", "joe", "v6"),
        ("elsewhere", 5432, "app", "joe", None),
        ("h", 1, "d", "empty", ""),
        ("h", 1, "d", "space", " x "),
        ("too", 1, "d", "u", None),
    ],
)
def test_the_first_line_that_fits_gives_the_password(host, port, database, user, password):
    assert password_in(PASSFILE, host=host, port=port, database=database, user=user) == password


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20))
def test_an_escaped_password_comes_back(password):
    escaped = password.replace("\\", r"\\").replace(":", r"\:")
    line = f"*:*:*:*:{escaped}\r\n"
    assert password_in(line, host="h", port=1, database="d", user="u") == password


def test_a_passfile_that_others_may_read_is_ignored_with_a_warning(tmp_path, caplog):
    path = tmp_path / "pgpass"
    path.write_text("*:*:*:*:secret\n")
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert read_passfile(path) == ""
    assert "chmod 600" in caplog.text
    path.chmod(0o600)
    assert read_passfile(path) == "*:*:*:*:secret\n"


def test_a_passfile_that_is_not_there_is_no_error(tmp_path):
    assert read_passfile(tmp_path / "none") == ""
    assert read_passfile(tmp_path) == ""


SERVICES = """
# comment
[one]
host=h1
port=1

[two]
host=h2
dbname=d2
"""


def test_a_service_is_one_section_of_its_file():
    assert service_in(SERVICES, "one") == {"host": "h1", "port": "1"}
    assert service_in(SERVICES, "two") == {"host": "h2", "dbname": "d2"}
    assert service_in(SERVICES, "three") is None


@pytest.mark.parametrize("line", ["host", "service=other", "hots=x"])
def test_a_service_with_a_bad_line_is_refused(line):
    with pytest.raises(ConfigurationError):
        service_in(f"[s]\n{line}\n", "s")
