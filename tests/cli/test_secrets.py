"""Passwords on the command line: warned about, and never shown."""

from __future__ import annotations

import json

import pytest

from graphile_worker.cli.main import SUPERVISED
from graphile_worker.cli.secrets_given import SecretsGiven
from graphile_worker.supervisor.messages import VARIABLE

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
        (["admin", "--password", "hunter2"], ("--password",)),
        (["admin", "--password=hunter2", "--bearer-token", "x"], ("--password", "--bearer-token")),
        (["admin", "--header-token=hunter2"], ("--header-token",)),
        (["admin", "--header-token=", "--password", ""], ()),
        (["admin", "--password"], ()),
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


@pytest.mark.parametrize("option", ["--password", "--bearer-token", "--header-token"])
def test_a_secret_of_the_admin_page_is_warned_about_and_hidden(here, option):
    for given in ([option, SECRET], [f"{option}={SECRET}"]):
        for elsewhere in ([SECRET], ["--listen", SECRET], ["--auth", SECRET]):
            ended = here("admin", *given, *elsewhere)
            warning, _, error = ended.err.partition("\n")
            variable = f"GRAPHILE_WORKER_ADMIN_{option[2:].upper().replace('-', '_')}"
            assert f"the secret in {option} can be read" in warning
            assert warning.endswith(f"give it in {variable}")
            assert "***" in error
            assert "hunter2" not in ended.err + ended.out


def test_a_short_secret_hides_no_words(here):
    ended = here("admin", "--password", "mi", "--auth", "none", "--listen", "0.0.0.0:0")
    assert "Usage: graphile-worker admin " in ended.err
    ended = here("admin", "--listen", "--password=mi")
    assert "--password=***" in ended.err


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


def test_processes_of_a_supervisor_do_not_warn_again(here, monkeypatch):
    assert SUPERVISED == VARIABLE
    monkeypatch.setenv(VARIABLE, "something")
    ended = here("stats", "--database-url", URL)
    assert ended.err.startswith("Error: ")
    assert "hunter2" not in ended.err


def test_a_command_that_works_warns_on_stderr_only(here, migrated_database):
    url = migrated_database.replace("postgres@", "postgres:any@")
    ended = here("stats", "--json", "--database-url", url)
    assert (ended.code, json.loads(ended.out)["total"]) == (0, 0)
    assert "--database-url" in json.loads(ended.err)["warning"]
