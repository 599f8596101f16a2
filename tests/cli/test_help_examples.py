"""The examples in `--help` work, as they stand."""

from __future__ import annotations

import pytest
from support.help_examples import examples_of

from graphile_worker import JobSpec, WorkerUtils
from graphile_worker.cli.commands import COMMANDS
from graphile_worker.cli.main import run

HERE = [
    *("migrate", "add", "list", "show", "complete", "fail", "reschedule", "remove", "stats"),
    *("queues", "workers", "cleanup", "force-unlock", "sweep-stale-workers", "completion"),
    *("crontab check", "crontab next", "crontab list"),
]


@pytest.fixture
async def a_folder_and_jobs(tasks, tmp_path, monkeypatch, migrated_database):
    """What the examples speak of."""
    tasks.rename(tmp_path / "tasks.py")
    (tmp_path / "payload.json").write_text('{"to": "ada@example.com"}')
    (tmp_path / "payloads.ndjson").write_text('{"to": "ada@example.com"}\n' * 3)
    (tmp_path / "jobs.ndjson").write_text('{"identifier": "clean_up", "priority": 5}\n')
    (tmp_path / "crontab").write_text("0 8 * * * fine\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", migrated_database)
    async with WorkerUtils.connect(migrated_database) as utils:
        for number in (1, 2):
            job = await utils.add_raw_job("send_email", spec=JobSpec(job_key=f"key-{number}"))
            assert job.id == number


@pytest.mark.parametrize("name", HERE)
def test_the_examples_of_a_command_work(name, a_folder_and_jobs, capsys):
    examples = examples_of(*name.split())
    assert examples
    for arguments in examples:
        assert name in " ".join(arguments)
        assert run(arguments) == 0, (arguments, capsys.readouterr().err)


@pytest.mark.parametrize("name", [*HERE, "demo"])
def test_help_shows_them_unwrapped(name, capsys):
    assert run([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert "\n  Examples:\n    graphile-worker " in shown
    assert "\b" not in shown


def test_every_command_that_looks_or_changes_has_examples():
    """`run` and what comes with it have theirs elsewhere."""
    assert {name.split()[0] for name in HERE} <= set(COMMANDS)
