"""`graphile-worker watch`: what a frame says, and how it is shown."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import termios
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from support.eventually import eventually
from support.running import running, sql, until

from graphile_worker import WorkerContext, task
from graphile_worker.cli.watch_rates import rates
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.migrations.runner import migrate
from graphile_worker.queries.watch_frame import Frame, watch_frame
from graphile_worker.testing.databases import database_name

SCHEMA = Schema("graphile_worker")

JOBS = """
select graphile_worker.add_job('mail', run_at := now() - interval '90 seconds');
select graphile_worker.add_job('mail', priority := 5);
select graphile_worker.add_job('report', run_at := now() + interval '1 day');
select graphile_worker.add_job('charge', payload := '{"n": 1}') from generate_series(1, 3);
update graphile_worker._private_jobs set attempts = 25, last_error = 'CardError: declined'
  where id = 4;
update graphile_worker._private_jobs
  set attempts = 2, run_at = now() + interval '5 seconds', last_error = E'Timeout\\nafter 3 s'
  where id = 5;
update graphile_worker._private_jobs set locked_at = now(), locked_by = 'alive' where id = 6;
select graphile_worker.worker_heartbeat('alive', '{"host": "one", "pid": 7, "concurrency": 4}');
insert into graphile_worker._private_workers (id, last_heartbeat_at)
  values ('gone', now() - interval '10 minutes');
"""


@pytest.fixture
async def postgres(gw_database: str) -> AsyncIterator[asyncpg.Connection]:
    async with sql(gw_database) as connection:
        yield connection


async def frame_of(url: str, **limits: Any) -> Frame:
    database = await connect(url, max_connections=1)
    try:
        return await database.run(watch_frame(SCHEMA, **limits))
    finally:
        await database.aclose()


async def test_a_frame_counts_by_state_and_task(gw_database, postgres):
    await postgres.execute(JOBS)
    frame = await frame_of(gw_database)
    assert (frame.ready, frame.running, frame.retrying, frame.scheduled, frame.failed) == (
        *(2, 1, 1),
        *(2, 1),
    )
    assert frame.ready_complete
    assert frame.scheduled_complete
    assert frame.complete
    assert frame.oldest_seconds == pytest.approx(90, abs=20)
    lines = {line.task: line for line in frame.tasks}
    assert (lines["mail"].ready, lines["mail"].oldest_seconds) == (2, frame.oldest_seconds)
    charge = lines["charge"]
    assert (charge.running, charge.retrying, charge.failed) == (1, 1, 1)
    assert set(lines) == {"mail", "charge"}, "nothing of what is only to run later"
    alive, gone = frame.workers
    assert (alive.worker_id, alive.host, alive.slots, alive.running) == ("alive", "one", 4, 1)
    assert (gone.worker_id, gone.is_silent, gone.slots) == ("gone", True, None)
    assert {(line.id, line.task, line.error) for line in frame.errors} == {
        (4, "charge", "CardError: declined"),
        (5, "charge", "Timeout\nafter 3 s"),
    }


async def test_an_empty_queue_and_a_quoted_schema(empty_database):
    odd = Schema("""o'd"d""")
    database = await connect(empty_database, max_connections=1)
    await migrate(database, odd)
    frame = await database.run(watch_frame(odd))
    await database.aclose()
    assert (frame.ready, frame.tasks, frame.workers, frame.errors) == (0, [], [], [])
    assert (frame.oldest_seconds, frame.added, frame.complete) == (None, 0, True)


async def test_numbers_of_a_large_table_are_lower_bounds(gw_database, postgres):
    await postgres.execute(JOBS)
    await postgres.execute(
        "select graphile_worker.add_job('mail', run_at := now() + d * interval '1 hour')"
        "from generate_series(-20, 20) as d"
    )
    frame = await frame_of(gw_database, most_counted=10, looked_through=0, at_each_end=2)
    assert (frame.ready, frame.ready_complete) == (10, False)
    assert (frame.scheduled, frame.scheduled_complete) == (10, False)
    assert not frame.complete
    assert (frame.running, frame.retrying, frame.failed) == (0, 0, 0), "neither end has them"
    seen = await frame_of(gw_database, looked_through=0, at_each_end=30)
    assert (seen.running, seen.retrying, seen.failed) == (1, 1, 1), "counted once, not at each end"
    assert seen.oldest_seconds == frame.oldest_seconds or seen.oldest_seconds > 20 * 3600


async def test_the_whole_table_is_not_read_when_it_is_large(gw_database, postgres):
    """Of a scan of everything the plan says that it was never begun."""
    await postgres.execute(
        "select graphile_worker.add_job('mail');"
        "insert into graphile_worker._private_jobs (task_id, run_at) "
        "select 1, now() + (n % 7 - 3) * interval '1 day' from generate_series(1, 5000) as n;"
        "analyze graphile_worker._private_jobs"
    )
    statement = watch_frame(SCHEMA, looked_through=0, most_counted=50, at_each_end=20)
    rows = await postgres.fetch(
        f"explain (analyze, timing off, costs off) {statement.text}", *statement.args
    )
    plan = "\n".join(row[0] for row in rows)
    scans = [line for line in plan.splitlines() if "Seq Scan on _private_jobs" in line]
    assert scans
    assert all("never executed" in line for line in scans), plan
    read = [int(n) for n in re.findall(r"_private_jobs.*?rows=(\d+)", plan)]
    assert max(read) <= 50


def frame_at(now: float, added: int | None, done: int | None) -> Frame:
    return Frame(
        now=now, ready=0, ready_complete=True, scheduled=0, scheduled_complete=True, running=0,
        retrying=0, failed=0, complete=True, oldest_seconds=None, added=added, done=done, tasks=[],
        workers=[], errors=[],
    )  # fmt: skip


def test_rates_come_from_two_frames():
    found = rates(frame_at(10.0, 100, 50), frame_at(12.0, 300, 150))
    assert found is not None
    assert (found.added, found.done) == (100, 50)
    assert rates(frame_at(10.0, 100, 50), frame_at(12.0, 3, 1)) is None, "counters were reset"
    assert rates(frame_at(10.0, None, None), frame_at(12.0, 3, 1)) is None
    assert rates(frame_at(10.0, 1, 1), frame_at(10.0, 3, 1)) is None


# -- the command ---------------------------------------------------------------------------------


async def test_one_frame_as_text_and_as_json(cli, gw_database, postgres):
    await postgres.execute(JOBS)
    ended = cli("watch", "--once", "--database-url", gw_database, env={"COLUMNS": "100"})
    assert (ended.code, ended.err) == (0, "")
    assert "ready 2   running 1   retrying 1   scheduled 2   failed 1\n" in ended.out
    assert "added -/s   done -/s   oldest ready 1 min" in ended.out
    assert re.search(r"one:7  alive +1 +4 +\d\.\d s ago", ended.out)
    assert "4 charge (25/25) CardError: declined\n" in ended.out
    assert r"5 charge (2/25) Timeout\nafter 3 s" in ended.out
    ended = cli("watch", "--once", "--json", "--database-url", gw_database)
    told = json.loads(ended.out)
    assert (told["ready"], told["rates"], told["lost_for_seconds"]) == (2, None, None)
    [mail] = [line for line in told["tasks"] if line["task"] == "mail"]
    assert mail == {
        "task": "mail",
        "ready": 2,
        "running": 0,
        "retrying": 0,
        "failed": 0,
        "oldest_seconds": told["oldest_seconds"],
    }


@task(payload=None)
async def slow(ctx: WorkerContext) -> None:
    await ctx.shutting_down.wait()


async def test_frames_follow_each_other_until_ctrl_c(start, gw_database):
    watching = start(*("watch", "--json", "--interval", "50ms"), env={"DATABASE_URL": gw_database})
    assert json.loads(watching.stdout.readline())["running"] == 0
    async with running(gw_database, tasks=[slow]) as worker:
        await worker.create_utils().add_job(slow)

        async def seen() -> bool:
            told = json.loads(watching.stdout.readline())
            return told["running"] == 1 and told["rates"] is not None

        await until(seen)
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=20)
    assert (watching.returncode, err) == (0, "")


async def test_on_a_terminal_it_takes_the_screen_and_gives_it_back(start, gw_database, postgres):
    await postgres.execute(JOBS)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    watching = start("watch", "--interval", "50ms", "--database-url", gw_database, stdout=theirs)
    os.close(theirs)
    shown = b""

    def drawn(text: bytes) -> bool:
        nonlocal shown
        shown += os.read(ours, 65536)
        return text in shown

    eventually(lambda: drawn(b"\x1b[?1049h"))
    eventually(lambda: drawn(b"CardError"))
    watching.send_signal(signal.SIGTERM)
    eventually(lambda: drawn(b"\x1b[?1049l"))
    assert watching.wait(20) == 0
    os.close(ours)


def test_on_a_terminal_that_cannot_move_its_cursor_frames_follow_each_other(
    start, migrated_database
):
    ours, theirs = pty.openpty()
    where = ("--database-url", migrated_database)
    watching = start("watch", "--interval", "50ms", *where, stdout=theirs, env={"TERM": "dumb"})
    os.close(theirs)
    shown = b""

    def drawn_twice() -> bool:
        nonlocal shown
        shown += os.read(ours, 65536)
        return shown.count(b"graphile-worker  graphile_worker") > 1

    eventually(drawn_twice)
    assert b"\x1b" not in shown
    watching.send_signal(signal.SIGINT)
    watching.wait(20)
    os.close(ours)


def test_a_schema_without_registry_says_what_to_do(cli, gw_database, empty_database):
    ended = cli("watch", "--once", "--database-url", empty_database)
    assert ended.code == 1
    assert "graphile-worker --schema graphile_worker migrate" in ended.err


async def test_a_schema_of_nodejs_is_missing_the_registry(cli, gw_database, postgres):
    await postgres.execute("drop table graphile_worker._private_workers")
    ended = cli("watch", "--once", "--database-url", gw_database)
    assert ended.code == 1
    assert "has no registry of workers" in ended.err
    assert ended.err.count("\n") == 1


async def test_it_says_how_long_the_database_has_been_away_and_comes_back(start, gw_database):
    watching = start("watch", "--json", "--interval", "50ms", "--database-url", gw_database)
    watching.stdout.readline()

    async def lost(*, is_so: bool) -> bool:
        told = json.loads(watching.stdout.readline())
        return (told["lost_for_seconds"] is not None) is is_so

    async with sql(gw_database.replace(database_name(gw_database), "postgres")) as elsewhere:
        name = database_name(gw_database)
        await elsewhere.execute(f'alter database "{name}" allow_connections off')
        await elsewhere.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name
        )
        await until(lambda: lost(is_so=True))
        await elsewhere.execute(f'alter database "{name}" allow_connections on')
        await until(lambda: lost(is_so=False))
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=20)
    assert watching.returncode == 0
