"""queues, workers, cleanup, force-unlock and sweep-stale-workers."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from support.running import sql

from graphile_worker import JobSpec, WorkerUtils

LOCK_JOB = (
    "update graphile_worker._private_jobs set locked_at = now() - $2::interval, locked_by = $3 "
    "where id = $1"
)
LOCK_QUEUE = (
    "update graphile_worker._private_job_queues set locked_at = now(), locked_by = $2 "
    "where queue_name = $1"
)
REGISTER = (
    "insert into graphile_worker._private_workers (id, last_heartbeat_at) "
    "values ($1, now() - $2::interval)"
)


@pytest.fixture
async def busy(migrated_database):
    """A queue in use, one of no use, a live, a dead and an unregistered worker."""
    async with (
        WorkerUtils.connect(migrated_database) as utils,
        sql(migrated_database) as connection,
    ):
        for queue in ("mail", "mail", "old", None, None):
            await utils.add_raw_job("t", spec=JobSpec(queue_name=queue))
        await utils.add_raw_job("gone")
        await utils.complete_jobs([3, 6])
        await connection.execute(LOCK_JOB, 1, timedelta(hours=1), "dead")
        await connection.execute(LOCK_QUEUE, "mail", "dead")
        await connection.execute(LOCK_JOB, 4, timedelta(minutes=1), "node-1")
        await connection.execute(LOCK_JOB, 5, timedelta(0), "alive")
        await connection.execute(REGISTER, "alive", timedelta(0))
        await connection.execute(REGISTER, "dead", timedelta(hours=1))
        await connection.execute(REGISTER, "idle", timedelta(0))
    return migrated_database


@pytest.fixture
def gw(here, busy, monkeypatch):
    """The command on that database."""
    monkeypatch.setenv("DATABASE_URL", busy)
    return here


def holders(gw) -> list[str]:
    return [worker["worker_id"] for worker in json.loads(gw("workers", "--json").out)]


def test_queues(gw, on_terminal, busy):
    header, mail, old = (line.split("\t") for line in gw("queues").out.splitlines())
    assert header == ["id", "queue", "jobs", "ready", "locked_by", "locked_at"]
    assert mail[1:5] == ["mail", "2", "1", "dead"]
    assert old[1:] == ["old", "0", "0", "-", "-"]
    first, second = json.loads(gw("queues", "--json").out)
    assert list(first) == ["id", "queue_name", "job_count", "ready_count", "locked_at", "locked_by"]
    assert second == {**second, "job_count": 0, "locked_at": None, "locked_by": None}
    assert first["locked_at"].endswith("Z")
    assert "─" in on_terminal("queues", env={"DATABASE_URL": busy}).out


def test_workers(gw, on_terminal, busy):
    header, *rows = (line.split("\t") for line in gw("workers").out.splitlines())
    names = ["worker_id", "locked_jobs", "locked_queues", "heartbeat", "last_heartbeat_at"]
    assert header == names
    assert [row[:4] for row in rows] == [
        ["alive", "1", "0", "live"],
        ["dead", "1", "1", "stale"],
        ["node-1", "1", "0", "-"],
    ]
    coloured = on_terminal("workers", env={"DATABASE_URL": busy}).out
    assert "\x1b[32mlive" in coloured
    assert "\x1b[31mstale" in coloured
    plain = on_terminal("workers", env={"DATABASE_URL": busy, "NO_COLOR": "1"}).out
    assert "\x1b[3" not in plain
    shown = json.loads(gw("workers", "--all", "--json", "--stale-after", "2h").out)
    assert [worker["worker_id"] for worker in shown] == ["alive", "dead", "idle", "node-1"]
    assert [worker["heartbeat"] for worker in shown] == ["live", "live", "live", None]
    assert list(shown[0]) == [*names, "started_at", "metadata"]


def test_where_there_is_nothing_a_terminal_says_so(on_terminal, migrated_database):
    named = ("--database-url", migrated_database)
    assert on_terminal("workers", *named).out == "No workers\n"
    assert on_terminal("queues", *named).out == "No queues\n"


def test_cleanup_after_a_dry_run(gw):
    gw("fail", "2")
    told = gw("cleanup", "--dry-run")
    counts = "1 failed job(s), 1 task identifier(s), 1 queue(s)"
    assert (told.code, told.out) == (0, f"Would delete {counts}\n")
    as_json = json.loads(gw("cleanup", "--dry-run", "--json").out)
    assert as_json == {
        "cleanup_tasks": ["DeletePermanentlyFailedJobs", "GcTaskIdentifiers", "GcJobQueues"],
        "deleted": {
            "delete-permanently-failed-jobs": 1,
            "gc-task-identifiers": 1,
            "gc-job-queues": 1,
        },
        "dry_run": True,
    }
    assert gw("cleanup").out == f"Cleanup complete: deleted {counts}\n"
    again = json.loads(gw("cleanup", "--json").out)
    assert again == {**as_json, "deleted": dict.fromkeys(as_json["deleted"], 0), "dry_run": False}


def test_one_task_of_the_cleanup(gw):
    assert gw("cleanup", "gc-job-queues").out == "Cleanup complete: deleted 1 queue(s)\n"
    both = json.loads(gw("cleanup", "gc-job-queues", "gc-task-identifiers", "--json").out)
    assert both["cleanup_tasks"] == ["GcTaskIdentifiers", "GcJobQueues"]
    unknown = gw("cleanup", "everything")
    assert unknown.code == 2
    assert "'everything' is not one of 'delete-permanently-failed-jobs'" in unknown.err


def test_a_cleanup_asks_on_a_terminal(at_terminal, gw, busy):
    env = {"DATABASE_URL": busy}
    ended = at_terminal("cleanup", "gc-job-queues", answer="n\n", env=env)
    assert (ended.code, "Delete 1 queue(s)? [y/N]: n" in ended.out) == (1, True)
    assert at_terminal("cleanup", "gc-job-queues", answer="y\n", env=env).code == 0
    nothing = at_terminal("cleanup", "gc-job-queues", env=env)
    assert nothing.out == "Cleanup complete: deleted 0 queue(s)\n"


def test_force_unlock(gw):
    dry = gw("force-unlock", "dead", "alive", "nobody", "--dry-run")
    assert dry.out == (
        "Would unlock dead: 1 job(s), 1 queue(s)\n"
        "Would unlock alive: 1 job(s), 0 queue(s), is alive\n"
        "Would unlock nobody: 0 job(s), 0 queue(s)\n"
    )
    as_json = json.loads(gw("force-unlock", "dead", "--dry-run", "--json").out)
    dead = {"worker_id": "dead", "locked_jobs": 1, "locked_queues": 1, "is_alive": False}
    assert as_json == {"unlocked_workers": [], "dry_run": True, "workers": [dead]}
    assert holders(gw) == ["alive", "dead", "node-1"]
    ended = gw("force-unlock", "dead", "node-1")
    assert (ended.out, ended.err) == ("Unlocked 2 worker id(s)\n", "")
    assert holders(gw) == ["alive"]
    last = gw("force-unlock", "alive", "--json")
    assert json.loads(last.out) == {"unlocked_workers": ["alive"]}
    assert json.loads(last.err)["alive"] == ["alive"]
    assert holders(gw) == []


def test_force_unlock_asks_on_a_terminal(at_terminal, gw, busy):
    ended = at_terminal("force-unlock", "alive", answer="n\n", env={"DATABASE_URL": busy})
    assert ended.code == 1
    assert "Warning: alive: heard of within the last 5 minutes" in ended.out
    assert "  alive: 1 job(s), 0 queue(s), is alive\nUnlock 1 worker id(s)? [y/N]: n" in ended.out
    assert "alive" in holders(gw)


def test_sweep(gw):
    dry = gw("sweep-stale-workers", "--dry-run")
    assert (dry.code, dry.out) == (0, "Would recover 1 worker(s): dead\n")
    as_json = json.loads(gw("sweep-stale-workers", "--dry-run", "--json").out)
    assert as_json == {"worker_ids": ["dead"], "recovered_count": 0, "dry_run": True}
    swept = gw("sweep-stale-workers", "--sweep-threshold", "5m", "--recovery-delay", "1h")
    assert swept.out == "Recovered 1 job(s) from 1 worker(s): dead\n"
    assert swept.err == ""
    assert json.loads(gw("show", "1", "--json").out)["state"] == "scheduled"
    assert gw("sweep-stale-workers").out == "No stale workers found\n"
    sooner = json.loads(gw("sweep-stale-workers", "--sweep-threshold", "30", "--json").out)
    assert sooner == {"worker_ids": ["node-1"], "recovered_count": 1, "dry_run": False}


def test_a_sweep_asks_on_a_terminal(at_terminal, gw, busy):
    ended = at_terminal("sweep-stale-workers", answer="n\n", env={"DATABASE_URL": busy})
    assert "  dead\nRecover the jobs of 1 worker(s)? [y/N]: n" in ended.out
    assert (ended.code, "dead" in holders(gw)) == (1, True)
