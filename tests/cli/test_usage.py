"""The command line as such, without a database: parsing in this process is enough."""

from __future__ import annotations

import json
import os

import click
import pytest

from graphile_worker.cli.commands import COMMANDS, commands
from graphile_worker.cli.main import run
from graphile_worker.cli.settings import Command, Settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("DATABASE_URL", "GRAPHILE_WORKER_SCHEMA"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_their_own_help_says(name):
    command = commands.get_command(click.Context(commands), name)
    assert command.name == name
    assert COMMANDS[name][1] == command.help.split("\n\n")[0].replace("\n", " ")


def test_help_and_version(capsys):
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == "graphile-worker 0.1.0\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, capsys):
    assert run([name, "--help"]) == 0
    assert f"Usage: graphile-worker {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["lst"], "No such command 'lst'; did you mean 'list'?"),
        (["list", "--nonsense"], "No such option"),
        (["list", "--state", "asleep"], "'asleep' is not one of"),
        (["list", "--limit", "-1"], "-1 is not in the range x>=0"),
        (["list", "--offset", "-1"], "-1 is not in the range x>=0"),
        (["show"], "Missing argument 'ID'"),
        (["show", "seven"], "'seven' is not a valid integer"),
        (["show", "9" * 19], "is not in the range"),
        (["add"], "Missing argument 'TASK'"),
        (["add", "t", "{}"], "unexpected argument '{}'; a payload is given by --payload"),
        (["add", "t", "--payload", "1", "--payload-file", "x"], "not both"),
        (["add", "t", "--job-key-mode", "replace"], "--job-key-mode needs --key"),
        (["add", "t", "--key", "k", "--job-key-mode", "preserve_run_at"], "is not one of"),
        (["add", "t", "--max-attempts", "0"], "0 is not in the range 1<=x<=32767"),
        (["add", "t", "--priority", "40000"], "is not in the range"),
        (["add", "t", "--run-at", "soon"], "`soon` is neither RFC 3339"),
        (["add", "t", "--run-at", "2030-01-01T00:00:00"], "has no time zone; end it with Z"),
        (["add", "t", "--run-at", "+99999999d"], "run_at must be within 1000 years, got 99999999"),
        (["add", "t", "--queue", "q" * 200], "queue_name must be at most 128 characters"),
        (["add", "t", "--key", ""], "job_key must not be empty"),
        (["add", ""], "task identifier must not be empty"),
        (["complete"], "Missing argument 'ID…'"),
        (["complete", "1", "two"], "'two' is not a valid integer"),
        (["fail", "0"], "0 is not in the range"),
        (["reschedule", "1"], "provide at least one of --now, --run-at, --priority, --attempts"),
        (["reschedule", "1", "--now", "--run-at", "+5m"], "either --now or --run-at, not both"),
        (["reschedule", "1", "--run-at", "+5 bananas"], "unsupported duration unit `bananas`"),
        (["reschedule", "1", "--attempts", "-1"], "-1 is not in the range 0<=x<=32767"),
        (["reschedule", "1", "--max-attempts", "0"], "0 is not in the range 1<=x<=32767"),
        (["reschedule", "1", "--priority", "99999"], "99999 is not in the range"),
        (["remove"], "Missing argument 'KEY'"),
        (["remove", "a", "b"], "Got unexpected extra argument"),
        (["cleanup", "all"], "'all' is not one of 'delete-permanently-failed-jobs', 'gc-task-"),
        (["force-unlock"], "Missing argument 'WORKER…'"),
        (["sweep-stale-workers", "--sweep-threshold", "0"], "must be more than 0"),
        (["sweep-stale-workers", "--recovery-delay", "-5"], "invalid duration `-5`"),
        (["workers", "--stale-after", ""], "duration must not be empty"),
        (["completion", "tcsh"], "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
        (["run"], "Missing argument 'MODULE:ATTRIBUTE'"),
        (["run", "tasks"], "`tasks`: write MODULE:ATTRIBUTE, for example tasks:tasks"),
        (["run", ":tasks"], "write MODULE:ATTRIBUTE"),
        (["run", "a:b", "--concurrency", "0"], "0 is not in the range x>=1"),
        (["run", "a:b", "--poll-interval", "0"], "must be more than 0"),
        (["run", "a:b", "--poll-interval", "5 bananas"], "unsupported duration unit `bananas`"),
        (["run", "a:b", "--tasks-dir", ""], "'--tasks-dir': must not be empty"),
        (["run", "a:b", "--direct-database-url", ""], "must not be empty"),
        (["crontab", "list", "--crontab", ""], "'--crontab': must not be empty"),
        (["admin", "--crontab", ""], "'--crontab': must not be empty"),
        (["demo", "--jobs", "3"], "3 is not in the range x>=10"),
        (["--max-connections", "0", "stats"], "0 is not in the range x>=1"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert len([line for line in shown.err.splitlines() if line.startswith("Error: ")]) == 1


@pytest.mark.parametrize("option", ["--database-url", "--schema", "--config"])
@pytest.mark.parametrize(
    "command", [["cleanup", "--yes"], ["run", "a:b"], ["demo", "--keep"], ["history", "status"]]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_empty_option_does_not_mean_what_others_say(option, command, place, monkeypatch, capsys):
    """`cleanup --yes --database-url "$STAGING_URL"` where nobody set that variable."""
    monkeypatch.setenv("DATABASE_URL", "postgres://127.0.0.1:1/production")
    monkeypatch.setenv("GRAPHILE_WORKER_SCHEMA", "production")
    arguments = [*command[:place], option, "", *command[place:]]
    assert run(arguments) == 2
    assert f"Invalid value for '{option}': must not be empty" in capsys.readouterr().err


def test_wrong_use_with_json_is_json(capsys):
    assert run(["--json", "show", "seven"]) == 2
    shown = json.loads(capsys.readouterr().err)
    assert shown["type"] == "UsageError"
    assert "'seven' is not a valid integer" in shown["error"]


def test_no_command_shows_the_help(capsys):
    assert run([]) == 2
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        *(["stats"], ["list"], ["show", "1"], ["add", "t"], ["migrate"], ["complete", "1"]),
        *(["queues"], ["workers"], ["remove", "k"], ["cleanup"], ["force-unlock", "w"]),
        *(["fail", "1"], ["reschedule", "1", "--now"], ["sweep-stale-workers"]),
    ],
)
def test_without_a_database_it_says_how_to_name_one(arguments, capsys):
    assert run(arguments) == 1
    error = capsys.readouterr().err
    assert "--database-url" in error
    assert "DATABASE_URL" in error
    assert error.count("\n") == 1


# -- the global options -------------------------------------------------------------------------


def settings(monkeypatch, *arguments: str):
    seen = []

    @click.command("probe", cls=Command)
    @click.pass_context
    def probe(context):
        seen.append(Settings.of(context))

    monkeypatch.setattr(type(commands), "get_command", lambda *_: probe)
    assert run(list(arguments)) == 0
    return seen[0]


def test_global_options_may_stand_on_either_side_of_the_command(monkeypatch):
    before = settings(monkeypatch, "--database-url", "a", "--schema", "s", "--json", "probe")
    after = settings(monkeypatch, "probe", "--database-url", "a", "--schema", "s", "--json")
    assert before == after
    assert (after.database_url, after.schema, after.json) == ("a", "s", True)


def test_what_is_said_last_wins(monkeypatch):
    both = settings(monkeypatch, "--schema", "first", "probe", "--schema", "last")
    assert both.schema == "last"


def test_defaults_then_environment_then_flags(monkeypatch):
    assert settings(monkeypatch, "probe").schema == "graphile_worker"
    assert settings(monkeypatch, "probe").max_connections == 5
    monkeypatch.setitem(os.environ, "GRAPHILE_WORKER_SCHEMA", "by_environment")
    monkeypatch.setitem(os.environ, "DATABASE_URL", "postgres://environment")
    by_environment = settings(monkeypatch, "probe")
    assert by_environment.schema == "by_environment"
    assert by_environment.database_url == "postgres://environment"
    assert by_environment.flags.database_url is None
    by_flag = settings(monkeypatch, "probe", "--schema", "by_flag", "--max-connections", "2")
    assert (by_flag.schema, by_flag.max_connections) == ("by_flag", 2)
