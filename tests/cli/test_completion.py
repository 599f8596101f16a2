"""Completion in shells."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete
from support.command_line import PROGRAM, environment
from support.running import sql

from graphile_worker import JobSpec, WorkerUtils
from graphile_worker.cli.commands import COMMANDS, commands
from graphile_worker.cli.main import run


@pytest.fixture
async def names(migrated_database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", migrated_database)
    async with WorkerUtils.connect(migrated_database) as utils:
        for task, queue in (("send_email", "mail"), ("send_text", "mobile"), ("_odd%", None)):
            await utils.add_raw_job(task, spec=JobSpec(queue_name=queue))
    return migrated_database


def completed(*words: str) -> list[str]:
    """What the shell would suggest for the last word."""
    shell = BashComplete(commands, {}, "graphile-worker", "_GRAPHILE_WORKER_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell, capsys):
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_GRAPHILE_WORKER_COMPLETE={shell}_complete" in script


def test_commands_options_and_choices_are_completed():
    assert completed("") == list(COMMANDS)
    assert completed("re") == ["reschedule", "remove"]
    assert "--recovery-delay" in completed("sweep-stale-workers", "--re")
    assert completed("list", "--state", "s") == ["scheduled", "stuck"]
    assert completed("cleanup", "gc-") == ["gc-task-identifiers", "gc-job-queues"]


def test_tasks_and_queues_come_from_the_database(names):
    assert completed("add", "") == ["_odd%", "send_email", "send_text"]
    assert completed("add", "send_t") == ["send_text"]
    assert completed("add", "%") == []
    assert completed("list", "--identifier", "send_e") == ["send_email"]
    assert completed("list", "--queue", "") == ["mail", "mobile"]
    assert completed("add", "x", "--queue", "mo") == ["mobile"]


async def test_owners_of_locks_come_from_the_database(names):
    async with sql(names) as connection:
        await connection.execute(
            "update graphile_worker._private_jobs set locked_at = now(), locked_by = 'worker-' || id"
        )
    assert await asyncio.to_thread(completed, "force-unlock", "w") == [
        *("worker-1", "worker-2", "worker-3"),
    ]


def test_options_before_say_where_to_look(names, monkeypatch):
    monkeypatch.delenv("DATABASE_URL")
    assert completed("add", "") == []
    assert completed("--database-url", names, "add", "send_e") == ["send_email"]
    assert completed("add", "--database-url", names, "send_e") == ["send_email"]
    assert completed("--schema", "other", "add", "--database-url", names, "") == []


@pytest.fixture
def silent_server():
    """The URL of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgres://127.0.0.1:{server.getsockname()[1]}/x"


@pytest.mark.parametrize("url", [None, "postgres://127.0.0.1:1/x", "nonsense", "embedded:"])
def test_whatever_is_wrong_nothing_is_suggested_and_nothing_is_said(url, silent_server, tmp_path):
    url = silent_server if url is None else url
    shell = {"COMP_WORDS": "graphile-worker add ", "COMP_CWORD": "2"}
    ended = subprocess.run(
        PROGRAM,
        env=environment(
            {"_GRAPHILE_WORKER_COMPLETE": "bash_complete", "DATABASE_URL": url, **shell}
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert (ended.stdout.strip(), ended.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_takes_the_script_and_completes(names, tmp_path):
    program = tmp_path / "graphile-worker"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m graphile_worker "$@"\n')
    program.chmod(0o755)
    typed = (
        'eval "$(graphile-worker completion bash)"; '
        "COMP_WORDS=(graphile-worker add send_); COMP_CWORD=2; "
        '_graphile_worker_completion graphile-worker; echo "${COMPREPLY[@]}"'
    )
    ended = subprocess.run(
        ["bash", "-c", typed],
        env=environment({"DATABASE_URL": names, "PATH": f"{tmp_path}:/usr/bin:/bin"}),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == ("send_email send_text\n", "")
