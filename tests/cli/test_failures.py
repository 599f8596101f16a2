"""What goes wrong outside, and how it is told: one line, an exit code, no secret."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from importlib.metadata import entry_points

import asyncpg
import pytest
from support.eventually import eventually

from graphile_worker.cli import main
from graphile_worker.embedded.server import EmbeddedPostgres
from graphile_worker.errors import DatabaseError

SECRET = "hunter2secret"


def test_a_missing_schema_names_the_command_that_makes_it(cli, empty_database):
    ended = cli("add", "t", "--database-url", empty_database)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith("Error: ")
    assert "graphile-worker --schema graphile_worker migrate" in ended.err


def test_nobody_listens_there(cli):
    ended = cli("stats", "--database-url", f"postgres://me:{SECRET}@127.0.0.1:1/x")
    warning, error = ended.err.splitlines()
    assert (ended.code, ended.out) == (1, "")
    assert warning.startswith("Warning: the password in --database-url can be read by")
    assert error.startswith("Error: ")
    assert "127.0.0.1" in error
    assert SECRET not in ended.err


def test_nobody_listens_there_in_json(cli):
    ended = cli("--json", "stats", "--database-url", f"postgres://me:{SECRET}@127.0.0.1:1/x")
    assert (ended.code, ended.out) == (1, "")
    warning, _, error = ended.err.partition("\n")
    assert "--database-url" in json.loads(warning)["warning"]
    assert json.loads(error)["type"] == "ConnectionLostError"
    assert SECRET not in ended.err


def test_a_url_that_is_none(cli):
    ended = cli("stats", env={"DATABASE_URL": f"mysql://me:{SECRET}@host/x"})
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert SECRET not in ended.err


@pytest.fixture
def guarded():
    """The URL of a server whose role `guarded` has another password."""
    with EmbeddedPostgres.start() as server:
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        asyncio.run(prepare(server.url))
        yield server.url.replace("postgres@", f"guarded:{SECRET}@", 1)


async def prepare(url):
    connection = await asyncpg.connect(url)
    await connection.execute("select pg_reload_conf()")
    await connection.execute("create role guarded login password 'another'")
    await connection.close()


def test_a_wrong_password(cli, guarded):
    ended = cli("stats", env={"DATABASE_URL": guarded})
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "password authentication failed" in ended.err
    assert SECRET not in ended.err


def test_a_reader_that_leaves_is_not_complained_of(start, migrated_database):
    read, write = os.pipe()
    os.close(read)
    process = start("list", "--database-url", migrated_database, stdout=write)
    os.close(write)
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == 1


def test_ctrl_c_is_quiet(start, tmp_path):
    process = start("add", "t", "--payload-file", "-")
    wait_until_it_reads_stdin(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err.strip()) == (130, "", "")


def wait_until_it_reads_stdin(process):
    def reads():
        with open(f"/proc/{process.pid}/wchan") as channel:  # noqa: PTH123
            return "pipe" in channel.read()

    if sys.platform == "linux":
        eventually(reads)


def test_an_error_of_ours_is_told_with_its_place(capsys, monkeypatch):
    def fall(**_: object):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(main.commands, "main", fall)
    assert main.run([]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: unexpected RuntimeError: two lines (")
    assert f"{__file__}:" in error
    assert error.count("\n") == 1
    monkeypatch.setenv("GRAPHILE_WORKER_DEBUG", "1")
    assert main.run([]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_several_errors_at_once_are_one_line(capsys, monkeypatch):
    def fall(**_: object):
        raise ExceptionGroup("all", [DatabaseError("one"), DatabaseError("two"), OSError("three")])

    monkeypatch.setattr(main.commands, "main", fall)
    assert main.run([]) == 1
    assert capsys.readouterr().err == "Error: one; two; OSError: three\n"


def test_the_installed_script_is_the_same_command():
    [entry] = entry_points(group="console_scripts", name="graphile-worker")
    assert entry.load() is main.main
