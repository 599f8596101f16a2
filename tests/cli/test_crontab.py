"""`graphile-worker crontab`, and `run --crontab`."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.running import sql


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_text(
        "# all is well\n0 8 * * * fine ?id=morning&tz=Europe/Paris\n*/30 * * * * other\n"
    )
    return path


def test_a_crontab_without_mistakes(here, crontab):
    ended = here("crontab", "check", str(crontab))
    assert (ended.code, ended.out, ended.err) == (0, "2 entries, no errors\n", "")
    ended = here("crontab", "check", str(crontab), "--json")
    assert json.loads(ended.out) == {"entries": 2, "errors": [], "warnings": []}


def test_mistakes_are_shown_with_carets(cli, tmp_path):
    (tmp_path / "crontab").write_text("0 8 * * * fine\n0 25 * * * late\n0 8 * * * fine ?max=0\n")
    ended = cli("crontab", "check", "crontab")
    assert ended.code == 1
    assert ended.out == ""
    assert ended.err == (
        "line 2, column 3: hour: 25 is out of range, expected 0 to 23\n"
        "    0 25 * * * late\n"
        "      ^\n"
        "line 3, column 17: max must be a whole number from 1 to 32767, got 0\n"
        "    0 8 * * * fine ?max=0\n"
        "                    ^\n"
        "2 errors\n"
    )


def test_mistakes_as_json(here, crontab):
    crontab.write_text("@daily fine")
    ended = here("crontab", "check", str(crontab), "--json")
    assert ended.code == 1
    [error] = json.loads(ended.out)["errors"]
    assert (error["line"], error["column"], error["text"]) == (1, 1, "@daily fine")
    assert "macros are not supported" in error["message"]


def test_a_file_that_is_none(here, tmp_path):
    ended = here("crontab", "check", str(tmp_path / "nowhere"))
    assert ended.code == 1
    assert "nowhere': No such file or directory" in ended.err
    assert "Is a directory" in here("crontab", "check", str(tmp_path)).err
    assert "cannot read" in here("crontab", "check", "a\0b").err


def test_a_file_that_is_not_utf8(here, crontab):
    crontab.write_bytes(b"0 8 * * * fine\n# caf\xc3\xa9 caf\xe9\r\n0 9 * * * other\n")
    ended = here("crontab", "check", str(crontab))
    assert ended.code == 1
    assert ended.err.startswith(
        "line 2, column 11: the byte 0xe9 is not UTF-8\n    # café caf\ufffd\n"
    )


def test_unknown_tasks_are_a_warning_or_strictly_an_error(cli, tasks, crontab):
    checked = ("crontab", "check", "crontab", "--tasks", "jobs:tasks")
    warning = "warning: other: the task 'other' is not known here\n"
    ended = cli(*checked)
    assert (ended.code, ended.out, ended.err) == (0, "2 entries, no errors\n", warning)
    assert cli(*checked, "--strict").code == 1
    found = json.loads(cli(*checked, "--json").out)["warnings"]
    assert found == [{"identifier": "other", "message": "the task 'other' is not known here"}]


def test_what_will_never_run_and_what_fills_for_years_is_a_warning(here, crontab):
    crontab.write_text("0 0 30 2 * never\n* * * * * long ?fill=5000w\n")
    ended = here("crontab", "check", str(crontab), "--strict")
    assert ended.code == 1
    assert "warning: never: it will never run" in ended.err
    assert "warning: long: fill=5000w is cut to 366 days" in ended.err


def test_when_entries_run_next(here, crontab):
    said = ("crontab", "next", str(crontab), "--from", "2026-03-28T08:10:00Z", "--count", "2")
    assert here(*said).out == (
        "run_at\tidentifier\ttask\n"
        "2026-03-28T08:30:00Z\tother\tother\n"
        "2026-03-28T09:00:00Z\tother\tother\n"
        "2026-03-29T06:00:00Z\tmorning\tfine\n"
        "2026-03-30T06:00:00Z\tmorning\tfine\n"
    )
    rows = json.loads(here(*said, "--tz", "Europe/Paris", "--json").out)
    assert rows[0] == {
        "run_at": "2026-03-28T09:30:00+01:00",
        "identifier": "other",
        "task": "other",
    }
    assert rows[2]["run_at"] == "2026-03-29T08:00:00+02:00"


def test_an_entry_that_never_runs_says_so(here, crontab):
    crontab.write_text("0 0 30 2 * never\n")
    assert here("crontab", "next", str(crontab)).out.endswith("-\tnever\tnever\n")


@pytest.mark.parametrize(
    "options",
    [
        ["--from", "+99999999d"],
        ["--from", "9999-12-31T23:58:00Z", "--count", "5"],
        ["--from", "0001-01-01T00:00:00+14:00"],
        ["--from", "9999-12-31T23:59:00Z", "--tz", "Pacific/Kiritimati"],
    ],
)
def test_a_time_beyond_the_calendar_is_refused(here, crontab, options):
    crontab.write_text("* * * * * t\n")
    ended = here("crontab", "next", str(crontab), *options)
    assert (ended.code, ended.out) == (2, "")
    assert "Invalid value for '--from': leads beyond the years 1 to 9999" in ended.err


def test_a_zone_or_crontab_that_is_wrong_is_told(here, crontab):
    ended = here("crontab", "next", str(crontab), "--tz", "Mars")
    assert ended.code == 2
    assert "unknown time zone 'Mars'" in ended.err
    crontab.write_text("0 25 * * * late")
    ended = here("crontab", "next", str(crontab))
    assert ended.code == 1
    assert ended.err.endswith("\n    0 25 * * * late\n      ^\n"), "with its caret"


def fill(url: str) -> None:
    async def insert() -> None:
        async with sql(url) as connection:
            await connection.execute(
                "insert into graphile_worker._private_known_crontabs values"
                " ('gone', '2026-01-01Z', null), ('morning', '2026-01-01Z', '2026-01-02 07:00Z')"
            )

    asyncio.run(insert())


def test_what_the_database_knows(cli, tasks, crontab, gw_database):
    fill(gw_database)
    said = ("crontab", "list", "--database-url", gw_database)
    assert cli(*said).out == (
        "identifier\tknown_since\tlast_execution\tnext_run\n"
        "gone\t2026-01-01T00:00:00Z\t-\t-\n"
        "morning\t2026-01-01T00:00:00Z\t2026-01-02T07:00:00Z\t-\n"
    )
    rows = json.loads(cli(*said, "--crontab", "crontab", "--json").out)
    assert [row["identifier"] for row in rows] == ["gone", "morning", "other"]
    gone, morning, other = rows
    assert gone["next_run"] is None
    assert morning["next_run"][11:] in {"06:00:00Z", "07:00:00Z"}
    assert (other["known_since"], other["last_execution"]) == (None, None)
    with tasks.open("a") as file:
        file.write('\ncrons = WorkerOptions(tasks=tasks, crons="0 5 * * * fine")\n')
    rows = json.loads(cli(*said, "jobs:crons", "--json").out)
    assert [row["identifier"] for row in rows] == ["fine", "gone", "morning"]
    assert rows[0]["next_run"][11:] == "05:00:00Z"


def test_a_database_without_tables_is_told(here, empty_database):
    ended = here("crontab", "list", "--database-url", empty_database)
    assert ended.code == 1
    assert "graphile-worker --schema graphile_worker migrate" in ended.err


def test_a_worker_takes_a_crontab_besides_its_options(start, tasks, crontab, gw_database):
    with tasks.open("a") as file:
        file.write('\ncrons = WorkerOptions(tasks=tasks, crons="0 5 1 1 * fine")\n')
    process = start(
        *("run", "jobs:crons", "--crontab", "crontab", "--database-url", gw_database),
        stderr=None,
    )

    def known() -> Any:
        async def ask() -> Any:
            async with sql(gw_database) as connection:
                return await connection.fetchval(
                    "select array_agg(identifier order by 1) from"
                    " graphile_worker._private_known_crontabs"
                )

        return asyncio.run(ask())

    eventually(known, seconds=25)
    assert known() == ["fine", "morning", "other"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_a_crontab_that_is_wrong_keeps_a_worker_from_starting(here, tasks, crontab, monkeypatch):
    monkeypatch.chdir(tasks.parent)
    crontab.write_text("0 25 * * * late")
    ended = here("run", f"{tasks}:fine", "--once", "--crontab", str(crontab))
    assert ended.code == 1
    assert "hour: 25 is out of range" in ended.err
