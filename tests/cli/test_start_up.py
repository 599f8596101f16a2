"""A command pays for its own imports only."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
