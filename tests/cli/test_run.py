"""`run` as a process."""

from __future__ import annotations

import json
import signal

import pytest

from graphile_worker import JobSpec, WorkerUtils


@pytest.fixture
async def four_jobs(migrated_database):
    async with WorkerUtils.connect(migrated_database) as utils:
        await utils.add_raw_job("fine", 1)
        await utils.add_raw_job("fine", 2)
        await utils.add_raw_job("broken")
        await utils.add_raw_job("hopeless")
        await utils.add_raw_job("fine", 3, JobSpec(flags=["later"]))
    return migrated_database


def test_once_runs_what_is_due_and_sums_it_up(cli, tasks, four_jobs):
    ended = cli(
        "run", "jobs:tasks", "--once", "--forbidden-flag", "later", "--database-url", four_jobs
    )
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == "2 completed, 1 failed, 1 to be retried"
    assert "fine 1" in ended.out
    assert "fine 3" not in ended.out
    assert "tasks: fine, broken, hopeless, slow" in ended.err
    assert "ValueError: not today" in ended.err
    again = cli("--json", "run", "jobs.py:options", "--once", env={"DATABASE_URL": four_jobs})
    assert json.loads(again.out.partition("\n")[2]) == {"completed": 1, "failed": 0, "retried": 0}


def test_an_empty_queue_and_a_quiet_log(cli, tasks, empty_database):
    """`run` migrates; nothing needs to be there before."""
    ended = cli(
        "run", "jobs:tasks", "--once", "--log-level", "error", "--database-url", empty_database
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "0 completed, 0 failed, 0 to be retried\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_lets_running_jobs_end(start, tasks, migrated_database, number):
    async with WorkerUtils.connect(migrated_database) as utils:
        await utils.add_raw_job("slow", 0.3)
        process = start("run", "jobs:tasks", "--database-url", migrated_database)
        assert process.stdout.readline() == "slow began\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (0, "slow ended\n"), err
        assert "Traceback" not in err
        assert (await utils.stats()).total == 0


async def test_once_obeys_a_signal_too(start, tasks, migrated_database):
    async with WorkerUtils.connect(migrated_database) as utils:
        await utils.add_raw_job("slow", 60)
        process = start(
            *("run", "jobs:tasks", "--once", "--shutdown-grace-period", "100ms"),
            *("--database-url", migrated_database),
        )
        assert process.stdout.readline() == "slow began\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (0, "0 completed, 0 failed, 1 to be retried\n"), err
        [job] = await utils.list_jobs()
        assert (job.attempts, job.locked_by) == (0, None)


async def test_exit_codes_of_programs_are_known_where_sigchld_was_ignored(
    cli, tmp_path, migrated_database
):
    """An ignored signal stays ignored in what is executed."""
    program = tmp_path / "programs" / "fine"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    async with WorkerUtils.connect(migrated_database) as utils:
        await utils.add_raw_job("fine")
    ended = cli(
        *("run", "--once", "--tasks-dir", "programs", "--database-url", migrated_database),
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    )
    assert ended.out == "1 completed, 0 failed, 0 to be retried\n", ended.err


def test_a_signal_while_it_waits_for_a_database(start, tasks):
    process = start(
        *("run", "jobs:tasks", "--wait-for-database", "1m"),
        *("--database-url", "postgres://127.0.0.1:1/x"),
    )
    assert "waiting for PostgreSQL" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, ""), err


def test_a_database_that_is_away_is_one_line(cli, tasks):
    away = {"DATABASE_URL": "postgres://me:pw-x@127.0.0.1:1/x"}
    ended = cli("run", "jobs:tasks", env=away)
    assert (ended.code, ended.out) == (1, "")
    [line] = ended.err.splitlines()
    assert line.startswith("Error: ")
    assert "pw-x" not in line


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere:tasks", "there is no module 'nowhere'"),
        ("jobs:twice", "two tasks have the identifier 'fine'"),
    ],
)
def test_what_cannot_be_run_is_one_line(cli, tasks, target, message):
    ended = cli("run", target, "--database-url", "postgres://127.0.0.1:1/x")
    assert (ended.code, ended.out) == (1, "")
    [line] = ended.err.splitlines()
    assert line.startswith("Error: ")
    assert message in line


def test_an_error_with_json_is_json(cli, tasks):
    ended = cli("run", "jobs:number", "--json")
    assert (ended.code, ended.out) == (1, "")
    assert json.loads(ended.err)["type"] == "ConfigurationError"
