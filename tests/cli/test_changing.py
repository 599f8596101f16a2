"""complete, fail, reschedule and remove."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.running import sql

from graphile_worker import JobSpec, WorkerUtils

HOLD = "update graphile_worker._private_jobs set locked_at = now() - $2::interval, locked_by = 'w' where id = $1"


@pytest.fixture
async def four_jobs(migrated_database):
    """1 and 2 wait, 3 is held by a worker, 4 by one that left it behind."""
    async with (
        WorkerUtils.connect(migrated_database) as utils,
        sql(migrated_database) as connection,
    ):
        for number in range(1, 5):
            await utils.add_raw_job("t", {"n": number}, JobSpec(job_key=f"k{number}"))
        await connection.execute(HOLD, 3, timedelta(minutes=1))
        await connection.execute(HOLD, 4, timedelta(hours=5))
    return migrated_database


@pytest.fixture
def gw(here, four_jobs, monkeypatch):
    """The command on those jobs."""
    monkeypatch.setenv("DATABASE_URL", four_jobs)
    return here


def jobs(gw) -> dict[int, dict]:
    return {job["id"]: job for job in json.loads(gw("list", "--json").out)}


def test_complete_deletes_what_no_worker_holds(gw):
    ended = gw("complete", "2", "3", "4", "2", "77")
    assert ended.code == 0
    assert ended.out == "Completed 2 job(s): 2, 4\n"
    assert ended.err == (
        "Warning: not completed: 3 (held by a worker); 77 (there is no such job)\n"
    )
    assert sorted(jobs(gw)) == [1, 3]


def test_complete_as_json(gw):
    ended = gw("complete", "1", "3", "77", "--json")
    [done] = json.loads(ended.out)
    assert (done["id"], done["task_identifier"], done["payload"]) == (1, "t", {"n": 1})
    assert json.loads(ended.err) == {
        "warning": "not completed: 3 (held by a worker); 77 (there is no such job)",
        "skipped": [3],
        "missing": [77],
    }


def test_strictly_a_job_that_was_left_alone_is_a_failure(gw):
    ended = gw("complete", "1", "3", "--strict")
    assert (ended.code, ended.out) == (1, "Completed 1 job(s): 1\n")
    assert ended.err == "Error: not completed: 3 (held by a worker)\n"
    assert gw("complete", "2", "--strict").code == 0
    as_json = gw("complete", "1", "--strict", "--json")
    assert (as_json.code, json.loads(as_json.out)) == (1, [])
    assert json.loads(as_json.err)["error"] == "not completed: 1 (there is no such job)"


@pytest.mark.parametrize("command", ["complete", "fail", "reschedule"])
def test_a_dry_run_tells_the_same_and_changes_nothing(gw, command):
    before = jobs(gw)
    more = ["--now"] if command == "reschedule" else []
    ended = gw(command, "1", "3", "4", "77", "--dry-run", *more)
    assert ended.code == 0
    assert ended.out == f"Would {command} 2 job(s): 1, 4\n"
    assert "3 (held by a worker); 77 (there is no such job)" in ended.err
    as_json = gw(command, "1", "--dry-run", "--json", *more)
    assert json.loads(as_json.out) == [before[1]]
    assert jobs(gw) == before


def test_fail_keeps_them_without_attempts(gw):
    assert gw("fail", "1").out == "Failed 1 job(s): 1\n"
    assert gw("fail", "2", "-r", "who knows").code == 0
    now = jobs(gw)
    assert [now[1]["last_error"], now[2]["last_error"]] == [
        "Manually marked as failed",
        "who knows",
    ]
    assert {now[number]["state"] for number in (1, 2)} == {"failed"}
    [failed] = json.loads(gw("fail", "1", "--reason", "again", "--json").out)
    assert (failed["attempts"], failed["last_error"]) == (25, "again")


def test_reschedule_changes_what_is_given(gw):
    ended = gw("reschedule", "1", "--run-at", "2035-01-02t03:04:05z", "--priority", "-7")
    assert (ended.code, ended.out) == (0, "Rescheduled 1 job(s): 1\n")
    job = jobs(gw)[1]
    assert (job["run_at"], job["priority"], job["max_attempts"]) == ("2035-01-02T03:04:05Z", -7, 25)
    gw("reschedule", "1", "--attempts", "3", "--max-attempts", "3")
    assert jobs(gw)[1]["state"] == "failed"
    [job] = json.loads(gw("reschedule", "1", "--now", "--attempts", "0", "--json").out)
    assert (job["state"], job["priority"]) == ("ready", -7)
    [job] = json.loads(gw("reschedule", "1", "--run-at", "+1h30m", "--json").out)
    later = datetime.fromisoformat(job["run_at"]) - datetime.now(UTC)
    assert timedelta(minutes=85) < later < timedelta(minutes=95)


def test_a_time_that_no_database_can_hold_is_told_in_a_line(gw):
    ended = gw("reschedule", "1", "--run-at", "+99999999d")
    assert (ended.code, ended.err.count("\n")) == (1, 1)


def test_nothing_to_be_changed_is_wrong_use(gw):
    ended = gw("reschedule", "1")
    assert ended.code == 2
    message = "provide at least one of --now, --run-at, --priority, --attempts, or --max-attempts"
    assert message in ended.err
    assert "not both" in gw("reschedule", "1", "--now", "--run-at", "now").err


def test_remove_by_key(gw):
    assert gw("remove", "k1").out == "Removed job with key `k1`\n"
    removed = json.loads(gw("remove", "k2", "--json").out)
    assert (removed["removed_key"], removed["job"]["id"]) == ("k2", 2)
    running = gw("remove", "k3").out
    assert running == "Job 3 is running: it lost its key `k3`, and is not retried\n"
    again = gw("remove", "k1")
    assert (again.code, again.out) == (0, "There is no job with key `k1`\n")
    gone = json.loads(gw("remove", "k1", "--json").out)
    assert gone == {"removed_key": "k1", "job": None, "dry_run": False}
    assert sorted(jobs(gw)) == [3, 4]


def test_a_dry_run_of_remove(gw):
    before = jobs(gw)
    told = gw("remove", "k1", "--dry-run")
    assert (told.code, told.out) == (0, "Would remove job 1 t: ready, 0 of 25 attempts\n")
    running = gw("remove", "k3", "--dry-run").out
    assert running == "Job 3 is running: it would lose its key `k3`, and not be retried\n"
    assert gw("remove", "k9", "--dry-run").out == "There is no job with key `k9`\n"
    as_json = json.loads(gw("remove", "k2", "--dry-run", "--json").out)
    assert as_json == {"removed_key": "k2", "job": before[2], "dry_run": True}
    assert jobs(gw) == before


# -- questions ----------------------------------------------------------------------------------


def test_on_a_terminal_it_shows_what_goes_and_asks(at_terminal, gw, four_jobs):
    env = {"DATABASE_URL": four_jobs}
    refused = at_terminal("complete", "1", "3", answer="n\n", env=env)
    assert refused.code == 1
    assert "  1 t: ready, 0 of 25 attempts\n" in refused.out
    assert "Complete 1 job(s)? [y/N]: n\nNothing was changed\n" in refused.out
    assert 1 in jobs(gw)
    granted = at_terminal("complete", "1", answer="y\n", env=env)
    assert (granted.code, "Completed 1 job(s): 1" in granted.out) == (0, True)
    assert 1 not in jobs(gw)


def test_ctrl_c_at_the_question_changes_nothing(at_terminal, gw, four_jobs):
    ended = at_terminal("remove", "k1", answer=None, env={"DATABASE_URL": four_jobs})
    assert ended.code == 130
    assert "  1 t: ready, 0 of 25 attempts\nRemove the job with key `k1`? [y/N]: " in ended.out
    assert 1 in jobs(gw)


def test_with_yes_nobody_is_asked(at_terminal, gw, four_jobs):
    ended = at_terminal("complete", "1", "-y", env={"DATABASE_URL": four_jobs})
    assert (ended.code, ended.out) == (0, "Completed 1 job(s): 1\n")
