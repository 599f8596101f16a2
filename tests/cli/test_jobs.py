"""migrate, add, list, show and stats, as people and as programs see them."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import pytest

from graphile_worker import JobSpec, WorkerUtils

HEADER = "id\ttask\tqueue\tstate\trun_at\tattempts\tpriority\tkey\tlocked_by"

FIELDS = [
    "id",
    "task_identifier",
    "queue_name",
    "payload",
    "priority",
    "run_at",
    "attempts",
    "max_attempts",
    "last_error",
    "created_at",
    "updated_at",
    "key",
    "locked_at",
    "locked_by",
    "revision",
    "flags",
    "is_available",
    "state",
]
RFC_3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z"
BIG = 123456789012345678901234567890


def test_migrate_makes_the_schema_and_may_be_run_again(cli, empty_database):
    first = cli("migrate", "--database-url", empty_database)
    assert (first.code, first.out, first.err) == (0, "Migrations complete\n", "")
    again = cli("--json", "migrate", env={"DATABASE_URL": empty_database})
    assert (again.code, json.loads(again.out), again.err) == (0, {"migrated": True}, "")


def test_another_schema(cli, empty_database):
    named = {"DATABASE_URL": empty_database, "GRAPHILE_WORKER_SCHEMA": 'od"d'}
    assert cli("migrate", env=named).code == 0
    assert cli("add", "t", env=named).out == "Added job 1 for task `t`\n"
    elsewhere = cli("stats", "--schema", "graphile_worker", env=named)
    assert elsewhere.code == 1
    assert "graphile-worker --schema graphile_worker migrate" in elsewhere.err


def test_a_job_with_every_option(cli, migrated_database):
    added = cli(
        *("add", "send_email", "--payload", f'{{"to": "ä", "n": {BIG}}}', "--queue", "mail"),
        *("--run-at", "2035-01-02T03:04:05+02:00", "--max-attempts", "7", "--key", "once"),
        *("--job-key-mode", "preserve-run-at", "--priority", "-3", "--flag", "b", "--flag", "a"),
        *("--json", "--database-url", migrated_database),
    )
    assert added.code == 0, added.err
    job = json.loads(added.out)
    assert list(job) == FIELDS
    assert job["payload"] == {"to": "ä", "n": BIG}
    assert job["flags"] == {"a": True, "b": True}
    assert job["run_at"] == "2035-01-02T01:04:05Z"
    assert re.fullmatch(RFC_3339, job["created_at"])
    expected = {
        "id": 1,
        "task_identifier": "send_email",
        "queue_name": "mail",
        "priority": -3,
        "attempts": 0,
        "max_attempts": 7,
        "last_error": None,
        "key": "once",
        "locked_at": None,
        "locked_by": None,
        "revision": 0,
        "is_available": True,
        "state": "scheduled",
    }
    assert {name: job[name] for name in expected} == expected
    assert added.out.startswith('{\n  "id": 1,\n')


def test_payloads_from_files_and_stdin(cli, here, migrated_database, tmp_path):
    named = {"DATABASE_URL": migrated_database}
    url = ("--database-url", migrated_database)
    (tmp_path / "payload.json").write_bytes(b'\xef\xbb\xbf[1, "\xc3\xa4"]')
    by_file = here("add", "t", "--payload-file", str(tmp_path / "payload.json"), "--json", *url)
    assert json.loads(by_file.out)["payload"] == [1, "ä"]
    by_stdin = cli("add", "t", "--payload-file", "-", "--json", given="null", env=named)
    assert json.loads(by_stdin.out)["payload"] is None
    without = here("add", "t", "--run-at", "now", "--json", *url)
    assert json.loads(without.out)["payload"] == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--payload", "{"], "payload must be valid JSON"),
        (["--payload", ""], "payload must be valid JSON"),
        (["--payload", "NaN"], "payload must be valid JSON"),
        (["--payload", "[1e999]"], "payload must be valid JSON"),
        (["--payload-file", "missing.json"], "failed to read payload file `missing.json`: No such"),
        (["--payload-file", "."], "failed to read payload file `.`"),
        (["--payload-file", "latin.json"], "`latin.json` is not UTF-8"),
    ],
)
def test_what_cannot_be_added_is_one_line_and_exit_code_1(
    arguments, message, tmp_path, monkeypatch, capsys
):
    from graphile_worker.cli.main import run

    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.json").write_bytes(b'"\xe4"')
    assert run(["add", "t", "--database-url", "postgres://nowhere.invalid/x", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.fixture
async def three_jobs(migrated_database):
    """One ready, one of a queue, one for later with a key that tries to break the output."""
    later = JobSpec(job_key="[red]\t\n\x1b[31m", run_at=timedelta(days=1))
    async with WorkerUtils.connect(migrated_database) as utils:
        await utils.add_raw_job("alpha", {"who": "Zoë"})
        await utils.add_raw_job("beta", spec=JobSpec(queue_name="q"))
        await utils.add_raw_job("beta", spec=later)
    return {"env": {"DATABASE_URL": migrated_database}}


def test_lists(cli, on_terminal, three_jobs):
    listed = cli("list", **three_jobs)
    lines = listed.out.splitlines()
    assert lines[0] == HEADER
    cells = [line.split("\t") for line in lines[1:]]
    assert [row[:4] for row in cells] == [
        ["1", "alpha", "-", "ready"],
        ["2", "beta", "q", "ready"],
        ["3", "beta", "-", "scheduled"],
    ]
    assert cells[2][5:] == ["0/25", "0", r"[red]\t\n\x1b[31m", "-"]
    assert re.fullmatch(RFC_3339, cells[0][4])
    as_json = json.loads(cli("--json", "list", **three_jobs).out)
    assert [list(job) for job in as_json] == [FIELDS] * 3
    assert as_json[0]["payload"] == {"who": "Zoë"}
    table = on_terminal("list", "--limit", "3", **three_jobs).out
    assert "─" in table
    assert r"[red]\t\n\x1b[31m" in table
    assert "There may be more: --offset 3" in table


def test_filters_and_pages(here, on_terminal, three_jobs):
    url = three_jobs["env"]["DATABASE_URL"]

    def ids(*arguments: str):
        listed = here("list", "--json", "--database-url", url, *arguments)
        return [job["id"] for job in json.loads(listed.out)]

    assert ids("--identifier", "beta", "--limit", "1", "--offset", "1") == [3]
    assert ids("--limit", "9" * 30) == [1, 2, 3]
    assert ids("--queue", "q") == [2]
    assert ids("--state", "scheduled") == [3]
    assert ids("--search", "zoë") == [1]
    assert here("list", "--state", "failed", "--database-url", url).out == HEADER + "\n"
    assert on_terminal("list", "--state", "failed", **three_jobs).out == "No jobs\n"


def test_shows_one(cli, here, on_terminal, three_jobs):
    shown = cli("show", "1", **three_jobs).out
    assert [line.partition(": ")[0] for line in shown.splitlines()[:11]] == [
        *("id", "task", "queue", "state", "run_at", "attempts", "priority", "key", "locked_by"),
        *("last_error", "payload"),
    ]
    assert "attempts: 0/25\n" in shown
    assert json.loads(shown.partition("payload: ")[2]) == {"who": "Zoë"}
    url = three_jobs["env"]["DATABASE_URL"]
    as_json = here("show", "2", "--json", "--database-url", url)
    assert json.loads(as_json.out)["queue_name"] == "q"
    assert "\x1b[1mid\x1b[0m: 1" in on_terminal("show", "1", **three_jobs).out


def test_a_job_that_is_not_there(here, migrated_database):
    missing = here("show", "77", "--database-url", migrated_database)
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "Error: there is no job 77; a completed job is deleted\n"
    as_json = here("show", "77", "--json", "--database-url", migrated_database)
    assert (as_json.code, as_json.out) == (1, "")
    assert json.loads(as_json.err)["error"].startswith("there is no job 77")


def test_counts(cli, here, on_terminal, three_jobs):
    counted = cli("stats", **three_jobs)
    assert counted.out == "total\tready\tscheduled\tlocked\tfailed\n3\t2\t1\t0\t0\n"
    as_json = here("stats", "--json", "--database-url", three_jobs["env"]["DATABASE_URL"])
    expected = {"total": 3, "ready": 2, "scheduled": 1, "locked": 0, "failed": 0}
    assert json.loads(as_json.out) == expected
    assert "scheduled" in on_terminal("stats", **three_jobs).out


def test_a_relative_time_is_counted_from_now_on_the_databases_clock(here, migrated_database):
    added = here("add", "t", "--run-at", "+90s", "--json", "--database-url", migrated_database)
    job = json.loads(added.out)
    times = [datetime.fromisoformat(job[name]) for name in ("created_at", "run_at")]
    assert (times[1] - times[0]).total_seconds() == 90
