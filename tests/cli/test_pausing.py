"""queue, task, cron, pause, resume and paused."""

from __future__ import annotations

import json

import psycopg
import pytest


@pytest.fixture
def db(here, gw_database):
    return lambda *arguments: here(*arguments, "--database-url", gw_database)


def test_a_queue(db, gw_database):
    paused = db("queue", "pause", "mail", "--by", "ada")
    assert (paused.code, paused.err) == (0, "")
    assert paused.out == "No worker takes jobs of the queue `mail` until it is resumed\n"
    with psycopg.connect(gw_database, autocommit=True) as connection:
        [job] = connection.execute(
            "select id from graphile_worker.add_job('t', queue_name := 'mail')"
        ).fetchone()
        connection.execute("update graphile_worker._private_jobs set locked_at = now()")
        assert f"Still running: job {job}\n" in db("queue", "pause", "mail").out
        listed = db("paused").out.splitlines()
        assert listed == ["what\tname\tby\tsince\trunning", f"queue\tmail\tada\t-\t{job}"]
        waits = db("queue", "resume", "mail", "--by", "bob", "--json")
        assert json.loads(waits.out) == {
            "queue_name": "mail",
            "was_paused": True,
            "waits_for": [job],
        }
        assert f"queue (resuming)\tmail\tbob\t-\t{job}" in db("paused").out
        again = db("queue", "resume", "mail").out
        assert again == f"Workers go on with the queue `mail` when job {job} has ended\n"
        connection.execute("delete from graphile_worker._private_jobs")
    assert db("queue", "resume", "mail").out == "Workers go on with the queue `mail`\n"
    assert db("queue", "resume", "mail").out == "Not paused: the queue `mail`\n"


@pytest.mark.parametrize(("kind", "what"), [("task", "task"), ("cron", "cron entry")])
def test_a_task_and_a_cron_entry(db, kind, what):
    assert db(kind, "resume", "a").out == f"Not paused: the {what} `a`\n"
    paused = db(kind, "pause", "a", "--by", "ada", "--json")
    assert {**json.loads(paused.out), "paused_at": ""} == {
        "name": "a",
        "paused_by": "ada",
        "paused_at": "",
    }
    said = db(kind, "pause", "a")
    assert said.out == f"Python workers leave the {what} `a` alone until it is resumed\n"
    [entry] = json.loads(db("paused", "--json").out)[f"{kind}s"]
    assert entry == json.loads(paused.out)
    resumed = db(kind, "resume", "a", "--json")
    assert json.loads(resumed.out) == {"name": "a", "resumed": True}


def test_everything(db):
    assert db("pause").code == 2
    assert db("pause", "--all", "--by", "ada").out == (
        "Python workers leave all jobs alone until it is resumed\n"
    )
    assert db("paused").out.splitlines()[1].startswith("all\t-\tada\t2")
    assert db("resume", "--all").out == "Python workers go on with all jobs\n"
    assert json.loads(db("paused", "--json").out) == {
        "everything": None,
        "queues": [],
        "tasks": [],
        "crons": [],
    }


def test_whoever_pauses_is_named(db):
    from getpass import getuser

    assert json.loads(db("task", "pause", "a", "--json").out)["paused_by"] == getuser()


def test_a_name_with_control_characters_does_not_steer_the_terminal(db):
    assert "\x1b" not in db("queue", "pause", "a\x1b[31m").out
    assert "\x1b" not in db("paused").out
