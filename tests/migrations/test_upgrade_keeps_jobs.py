from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest
from support.older_schemas import make_at

from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.migrations.runner import migrate

LEGACY = range(1, 11)
"""Revisions with the old tables."""


async def _fill_legacy(postgres: asyncpg.Connection, revision: int) -> None:
    """Rows in the tables of before revision 11, with everything these can hold by then."""
    columns: dict[str, Any] = {
        "queue_name": "queue",
        "task_identifier": "task",
        "payload": ' {"b":1, "a":[2]} ',
        "priority": -3,
        "attempts": 2,
        "max_attempts": 4,
        "last_error": "boom",
    }
    if revision >= 2:
        columns["key"] = "key"
    if revision >= 5:
        columns |= {"revision": 6, "flags": '{"f": true}'}
    await _insert(postgres, columns)
    await _insert(postgres, {"queue_name": "other", "task_identifier": "task"})
    if revision >= 3:
        await _insert(postgres, {"queue_name": None, "task_identifier": "no queue"})


async def _insert(postgres: asyncpg.Connection, columns: dict[str, Any]) -> None:
    await postgres.execute(
        f"insert into graphile_worker.jobs ({', '.join(columns)}, run_at, created_at, updated_at) "
        f"select {', '.join(columns)}, '2100-01-01Z', '2020-01-01Z', '2021-01-01Z' "
        "from json_populate_record(null::graphile_worker.jobs, $1::text::json)",
        json.dumps({**columns, "payload": json.loads(columns.get("payload", "{}"))}),
    )
    if "payload" in columns:
        await postgres.execute(
            "update graphile_worker.jobs set payload = $1::text::json", columns["payload"]
        )


@pytest.mark.parametrize("revision", LEGACY)
async def test_jobs_of_the_old_tables_move_to_the_new_ones(
    revision: int, database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, revision)
    await _fill_legacy(postgres, revision)
    before = [
        dict(row) for row in await postgres.fetch("select * from graphile_worker.jobs order by id")
    ]
    await migrate(database, schema)

    jobs = await postgres.fetch(
        "select v.*, j.payload from graphile_worker.jobs v "
        "join graphile_worker._private_jobs j using (id) order by id"
    )
    assert [job["id"] for job in jobs] == list(range(1, len(before) + 1)), "in the old order"
    for old, new in zip(before, jobs, strict=True):
        # Revision 2 touches rows whose queue is locked only, so no column has changed.
        assert {name: new[name] for name in old if name != "id"} == {
            name: value for name, value in old.items() if name != "id"
        }
    assert jobs[0]["payload"] == ' {"b":1, "a":[2]} '
    queues = await postgres.fetch("select queue_name from graphile_worker._private_job_queues")
    assert {row[0] for row in queues} == {"queue", "other"}


@pytest.mark.parametrize("revision", range(11, 20))
async def test_jobs_of_the_new_tables_stay_as_they_are(
    revision: int, database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, revision)
    await postgres.execute(
        "select graphile_worker.add_job('task', '{\"a\": 1}', queue_name := 'queue', "
        "job_key := 'key', flags := array['f'])"
    )
    table = "_private_jobs" if revision >= 16 else "jobs"
    await postgres.execute(
        f"update graphile_worker.{table} set locked_at = now(), locked_by = 'a running worker'"
    )
    before = await postgres.fetchrow(f"select * from graphile_worker.{table}")
    await migrate(database, schema)
    assert await postgres.fetchrow("select * from graphile_worker._private_jobs") == before


async def test_locks_of_queues_become_locks_of_their_jobs(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, 1)
    await postgres.execute(
        "select graphile_worker.add_job('task', queue_name := 'queue'); "
        "select graphile_worker.get_job('worker-of-old'); "
        "update graphile_worker.job_queues set locked_at = now() - interval '5 hours'"
    )
    await migrate(database, schema)
    job = await postgres.fetchrow("select * from graphile_worker._private_jobs")
    assert (job["locked_at"], job["attempts"]) == (None, 1), "too old to hold revision 11 up"


@pytest.mark.parametrize("revision", LEGACY)
async def test_the_old_functions_work_while_their_revision_lasts(
    revision: int, schema: Schema, postgres: asyncpg.Connection
) -> None:
    """A step may be where an upgrade stops; workers of that revision go on then."""
    await make_at(postgres, schema, revision)

    async def one(call: str) -> asyncpg.Record:
        return await postgres.fetchrow(f"select * from graphile_worker.{call}")

    await one("add_job('slow', queue_name := 'queue')")
    await one("add_job('next', queue_name := 'queue')")
    job = await one("get_job('first-worker')")
    assert (job["task_identifier"], job["attempts"]) == ("slow", 1)
    assert (await one("get_job('second-worker')"))["id"] is None, "the queue is serial"
    failed = await one(f"fail_job('first-worker', {job['id']}, 'boom')")
    assert failed["last_error"] == "boom"
    delay = (failed["run_at"] - failed["updated_at"]).total_seconds()
    assert delay == pytest.approx(2.718, abs=0.1)
    job = await one("get_job('second-worker')")
    assert job["task_identifier"] == "next"
    assert (await one(f"complete_job('second-worker', {job['id']})"))["id"] == job["id"]
    with pytest.raises(asyncpg.RaiseError, match="invalid worker id"):
        await one("get_job('short')")

    if revision >= 2:
        first = await one("add_job('t', queue_name := 'k', job_key := 'key')")
        again = await one("add_job('t', queue_name := 'k', job_key := 'key')")
        assert again["id"] == first["id"]
        await one("get_job('first-worker')")
        new = await one("add_job('t', queue_name := 'k', job_key := 'key')")
        assert new["id"] != first["id"]
        assert (await one("remove_job('key')"))["id"] == new["id"]
    if revision >= 4:
        ids = f"array[{failed['id']}]"
        assert (await one(f"reschedule_jobs({ids}, priority := 3)"))["priority"] == 3
        assert (await one(f"permanently_fail_jobs({ids})"))["attempts"] == 25
        assert (await one(f"complete_jobs({ids})"))["id"] == failed["id"]
        for arguments, sqlstate in (
            ("repeat('x', 129)", "GWBID"),
            ("'t', queue_name := repeat('x', 129)", "GWBQN"),
            ("'t', job_key := repeat('x', 513)", "GWBJK"),
            ("'t', max_attempts := 0", "GWBMA"),
        ):
            with pytest.raises(asyncpg.PostgresError) as caught:
                await one(f"add_job({arguments})")
            assert caught.value.sqlstate == sqlstate
    if revision >= 5:
        await one("add_job('flagged', flags := array['f'])")
        nothing = await one(
            "get_job('first-worker', array['flagged'], forbidden_flags := array['f'])"
        )
        assert nothing["id"] is None
    if revision >= 7:
        await one("add_job('t', job_key := 'd')")
        job = await one("add_job('u', job_key := 'd', job_key_mode := 'unsafe_dedupe')")
        assert (job["task_identifier"], job["revision"]) == ("t", 1)
        with pytest.raises(asyncpg.PostgresError, match="Invalid job_key_mode"):
            await one("add_job('t', job_key := 'd', job_key_mode := 'nope')")


@pytest.mark.parametrize("revision", range(11, 18))
async def test_the_functions_between_11_and_18_work(
    revision: int, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, revision)
    table = "_private_jobs" if revision >= 16 else "jobs"

    async def one(call: str) -> asyncpg.Record:
        return await postgres.fetchrow(f"select * from graphile_worker.{call}")

    await one("add_job('t', '[1]', job_key := 'k')")
    job = await one("add_job('t', '[2]', job_key := 'k')")
    assert job["payload"] == ("[2]" if revision == 11 else "[1, 2]")
    job = await one("add_job('u', job_key := 'k', job_key_mode := 'unsafe_dedupe')")
    assert (job["id"], job["revision"]) == (1, 2)
    small = "::smallint" if revision == 13 else ""
    job = await one(f"reschedule_jobs(array[1], attempts := 9{small})")
    assert job["attempts"] == 9
    assert (await one("permanently_fail_jobs(array[1])"))["attempts"] == 25
    if revision >= 15:
        await postgres.execute(
            f"update graphile_worker.{table} set locked_at = now(), locked_by = 'w'"
        )
        await one("force_unlock_workers(array['w'])")
    assert (await one("remove_job('k')"))["id"] == 1
