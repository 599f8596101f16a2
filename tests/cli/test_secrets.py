"""Passwords on the command line: warned about, and never shown."""

from __future__ import annotations

import json

import pytest

from graphile_worker.cli.secrets_given import SecretsGiven

SECRET = "hunter2'secret"
URL = f"postgres://me:{SECRET}@127.0.0.1:1/x"
SHOWN = "postgres://me:***@127.0.0.1:1/x"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--database-url", URL, "list"], ("--database-url",)),
        (["list", f"--database-url={URL}"], ("--database-url",)),
        (["run", "a:b", "--direct-database-url", URL], ("--direct-database-url",)),
        (["list", "--database-url", "host=x password=y"], ("--database-url",)),
        (["list", "--database-url", "postgres://me@host/x"], ()),
        (["list", "--database-url", "embedded:"], ()),
        (["add", "t", "--payload", '{"to": "ada@example.com"}'], ()),
        (["list", URL], ()),
    ],
)
def test_who_gives_one_is_warned(arguments, options):
    found = SecretsGiven.among(arguments)
    assert found.options == options
    assert (found.warning() is None) == (not options)


@pytest.mark.parametrize(
    "arguments",
    [
        [URL, "list"],
        ["list", URL],
        ["list", f"--database-ulr={URL}"],
        ["--max-connections", URL, "list"],
        ["list", "--state", URL],
        ["list", "--limit", f"password={SECRET}"],
        ["run", URL],
    ],
)
def test_a_misplaced_one_is_hidden_in_errors(here, arguments):
    ended = here(*arguments)
    assert ended.code != 0
    assert "hunter2" not in ended.err + ended.out
    as_json = here(*arguments, "--json")
    assert "hunter2" not in as_json.err + as_json.out


def test_the_rest_of_the_string_is_still_told(here):
    ended = here("list", URL)
    assert f"Got unexpected extra argument ({SHOWN})" in ended.err


def test_a_password_that_is_a_name_is_no_secret_elsewhere(here):
    ended = here("list", "--state", "postgres", "postgres://postgres:postgres@h/x")
    assert "'postgres' is not one of" in ended.err
    ended = here("list", "postgres://postgres:postgres@h/x")
    assert "(postgres://postgres:***@h/x)" in ended.err


def test_debugging_hides_it_too(here, monkeypatch):
    monkeypatch.setenv("GRAPHILE_WORKER_DEBUG", "1")
    ended = here("list", "--database-url", URL)
    assert "Traceback" in ended.err
    assert "hunter2" not in ended.err


def test_a_command_that_works_warns_on_stderr_only(here, migrated_database):
    url = migrated_database.replace("postgres@", "postgres:any@")
    ended = here("stats", "--json", "--database-url", url)
    assert (ended.code, json.loads(ended.out)["total"]) == (0, 0)
    assert "--database-url" in json.loads(ended.err)["warning"]
