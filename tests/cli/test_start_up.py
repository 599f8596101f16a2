"""A command pays for its own imports only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import graphile_worker

SOURCES = str(Path(graphile_worker.__file__).parent)

PROBE = """
import sys
from graphile_worker.cli.main import run
code = run(sys.argv[1:])
print(code, *sorted(sys.modules), file=sys.stderr)
"""


def imported(*arguments: str) -> set[str]:
    """The modules a command that succeeds has imported."""
    ended = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True
    )
    code, *modules = ended.stderr.splitlines()[-1].split()
    assert code == "0", ended.stderr
    return set(modules)


def test_help_imports_no_command():
    modules = imported("--help")
    assert not modules & {"asyncio", "asyncpg", "msgspec", "rich", "importlib.metadata"}


def test_help_and_list_stay_small(migrated_database):
    """So many modules, besides those of a bare Python: where one more goes in, look whether it has to."""
    bare = int(
        subprocess.run(
            [sys.executable, "-c", "import sys; print(len(sys.modules))"],
            capture_output=True,
            check=True,
        ).stdout
    )
    assert len(imported("--help")) - bare < 110
    assert len(imported("list", "--database-url", migrated_database)) - bare < 340


LIMIT = 0.25 / 0.0115
"""`--help` and `list` are to start in 0.25 s where a bare Python takes 11.5 ms; the ratio holds anywhere."""


def test_help_and_list_start_quickly(migrated_database):
    """In seconds of a core, beside a bare Python, so that it does not matter what else runs."""
    commands = {
        "bare": ["-c", "pass"],
        "help": ["-m", "graphile_worker", "--help"],
        "list": ["-m", "graphile_worker", "list", "--database-url", migrated_database],
    }
    subprocess.run([sys.executable, "-m", "compileall", "-q", SOURCES], check=True)
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(12):
        for name, arguments in commands.items():
            least[name] = min(least[name], cpu_seconds([sys.executable, *arguments]))
        if least["help"] < LIMIT / 2 * least["bare"] and least["list"] < LIMIT * least["bare"]:
            return
    raise AssertionError(least)


def cpu_seconds(arguments: list[str]) -> float:
    """What a command costs that succeeds."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("command", ["list", "stats"])
def test_looking_at_jobs_needs_neither_a_worker_nor_rich(command, migrated_database):
    modules = imported(command, "--database-url", migrated_database)
    assert "asyncpg" in modules
    assert not modules & {
        "rich",
        "graphile_worker.worker.worker",
        "graphile_worker.embedded.server",
    }


def test_a_worker_needs_no_extra_and_nothing_that_draws(tasks, migrated_database):
    modules = imported(
        *("run", f"{tasks}:fine", "--once", "--log-level", "error"),
        *("--database-url", migrated_database),
    )
    assert not modules & {"rich", "pydantic", "graphile_worker.embedded.server", "uvloop"}


def test_looking_at_a_crontab_needs_no_database(tmp_path):
    (tmp_path / "crontab").write_text("0 8 * * * report {account_id: 42}")
    modules = imported("crontab", "check", str(tmp_path / "crontab"))
    assert not modules & {"asyncpg", "rich", "graphile_worker.worker.worker"}
