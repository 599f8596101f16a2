"""The functions of the schema, which every implementation and plain SQL calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from support.blocked_sessions import until_somebody_waits
from support.older_schemas import make_at

from graphile_worker.database.executor import Database
from graphile_worker.migrations.runner import migrate

S = "graphile_worker"
LATER = datetime(2100, 1, 1, tzinfo=UTC)
MUCH_LATER = datetime(2200, 1, 1, tzinfo=UTC)


class Schema:
    """The functions by name, and what they did."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.execute = connection.execute

    async def rows(self, function: str, *args: object, **named: object) -> list[dict[str, Any]]:
        places = [f"${n}" for n in range(1, len(args) + 1)]
        places += [f"{name} := ${n}" for n, name in enumerate(named, len(args) + 1)]
        query = f"select * from {S}.{function}({', '.join(places)})"
        return [dict(row) for row in await self.connection.fetch(query, *args, *named.values())]

    async def call(self, function: str, *args: object, **named: object) -> dict[str, Any]:
        [row] = await self.rows(function, *args, **named)
        return row

    async def add(self, identifier: str | None = "t", **named: object) -> dict[str, Any]:
        return await self.call("add_job", identifier, **named)

    async def add_many(self, specs: object, preserve: bool = False) -> list[dict[str, Any]]:
        rows = await self.connection.fetch(
            f"select * from {S}.add_jobs(array(select json_populate_recordset("
            f"null::{S}.job_spec, $1::text::json)), $2)",
            json.dumps(specs),
            preserve,
        )
        return [dict(row) for row in rows]

    async def jobs(self) -> list[dict[str, Any]]:
        rows = await self.connection.fetch(f"select * from {S}._private_jobs order by id")
        return [dict(row) for row in rows]

    async def lock(self, by: str = "w", age: str = "0", **where: int) -> None:
        condition = f"id = {where['id']}" if where else "true"
        await self.execute(
            f"update {S}._private_jobs set locked_by = '{by}', attempts = attempts + 1, "
            f"locked_at = now() - interval '{age}' where {condition}"
        )
        await self.execute(
            f"update {S}._private_job_queues set locked_by = '{by}', "
            f"locked_at = now() - interval '{age}'"
        )


@pytest.fixture
async def gw(
    database: Database, schema: object, postgres: asyncpg.Connection
) -> AsyncIterator[Schema]:
    await migrate(database, schema)
    return Schema(postgres)


@pytest.fixture
async def gw_at_18(postgres: asyncpg.Connection, schema: object) -> AsyncIterator[Schema]:
    """The functions as Node has them."""
    await make_at(postgres, schema, 18)
    return Schema(postgres)


async def test_defaults(gw: Schema) -> None:
    job = await gw.add()
    now = job["created_at"]
    assert job == {
        "id": 1,
        "job_queue_id": None,
        "task_id": 1,
        "payload": "{}",
        "priority": 0,
        "run_at": now,
        "attempts": 0,
        "max_attempts": 25,
        "last_error": None,
        "created_at": now,
        "updated_at": now,
        "key": None,
        "locked_at": None,
        "locked_by": None,
        "revision": 0,
        "flags": None,
        "is_available": True,
    }


ACCEPTED = [
    ({"identifier": ""}, {}),
    ({"identifier": "é" * 128}, {}),
    ({"queue_name": ""}, {"job_queue_id": 1}),
    ({"queue_name": "é" * 128}, {"job_queue_id": 1}),
    ({"job_key": "é" * 512}, {"key": "é" * 512}),
    ({"max_attempts": 1}, {"max_attempts": 1}),
    ({"max_attempts": 32767, "priority": -32768}, {"max_attempts": 32767, "priority": -32768}),
    ({"payload": None}, {"payload": "{}"}),
    ({"payload": "null"}, {"payload": "null"}),
    ({"payload": ' {"b":1, "a":2} '}, {"payload": ' {"b":1, "a":2} '}),
    ({"payload": '"\\u0000"'}, {"payload": '"\\u0000"'}),
    ({"flags": ["a", "b", "a"]}, {"flags": '{"a": true, "b": true}'}),
    ({"flags": []}, {"flags": None}),
    ({"job_key": "k", "job_key_mode": None}, {"key": "k"}),
    ({"job_key_mode": "whatever"}, {"key": None}),
    ({"job_key_mode": "unsafe_dedupe"}, {"key": None, "revision": 0}),
]


@pytest.mark.parametrize(("arguments", "expected"), ACCEPTED)
async def test_accepted(gw: Schema, arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    job = await gw.add(**{"identifier": "t", **arguments})
    assert {name: job[name] for name in expected} == expected


REFUSED = [
    ({"identifier": None}, "23502", None),
    ({"identifier": "é" * 129}, "23514", "tasks_identifier_check"),
    ({"queue_name": "é" * 129}, "23514", "job_queues_queue_name_check"),
    ({"job_key": ""}, "23514", "jobs_key_check"),
    ({"job_key": "é" * 513}, "23514", "jobs_key_check"),
    ({"max_attempts": 0}, "23514", "jobs_max_attempts_check"),
    ({"max_attempts": 32768}, "22003", None),
    ({"priority": -32769}, "22003", None),
    ({"payload": "NaN"}, "22P02", None),
    ({"payload": ""}, "22P02", None),
    ({"flags": ["a", None]}, "22023", None),
    ({"job_key": "k", "job_key_mode": "whatever"}, "GWBKM", None),
]


@pytest.mark.parametrize("dedupe", [False, True])
@pytest.mark.parametrize(("arguments", "sqlstate", "constraint"), REFUSED)
async def test_refused(
    gw: Schema, arguments: dict[str, Any], sqlstate: str, constraint: str | None, dedupe: bool
) -> None:
    if dedupe and "job_key_mode" not in arguments:
        arguments = {"job_key": "k", **arguments, "job_key_mode": "unsafe_dedupe"}
    with pytest.raises(asyncpg.PostgresError) as caught:
        await gw.add(**{"identifier": "t", **arguments})
    assert caught.value.sqlstate == sqlstate
    assert getattr(caught.value, "constraint_name", None) == constraint
    assert await gw.jobs() == []


async def test_an_unknown_mode_is_named(gw: Schema) -> None:
    with pytest.raises(asyncpg.PostgresError) as caught:
        await gw.add(job_key="k", job_key_mode="nope")
    assert str(caught.value) == (
        "Invalid job_key_mode value, expected 'replace', 'preserve_run_at' or 'unsafe_dedupe'."
    )


async def test_infinity_is_a_time(gw: Schema) -> None:
    await gw.execute(f"select {S}.add_job('t', run_at := 'infinity')")
    [job] = await gw.jobs()
    assert job["run_at"].year == 9999


async def test_a_key_that_is_added_again_resets_what_is_not_given_again(gw: Schema) -> None:
    first = await gw.add(
        payload='{"a": 1}',
        queue_name="q",
        run_at=LATER,
        max_attempts=3,
        priority=7,
        flags=["f"],
        job_key="k",
    )
    await gw.execute(f"update {S}._private_jobs set attempts = 2, last_error = 'x'")
    second = await gw.add("other", job_key="k")
    assert second["id"] == first["id"]
    assert second["created_at"] == first["created_at"]
    assert second["updated_at"] > first["updated_at"]
    assert second["task_id"] != first["task_id"]
    changed = {name: second[name] for name in ("job_queue_id", "payload", "priority", "flags")}
    assert changed == {"job_queue_id": None, "payload": "{}", "priority": 0, "flags": None}
    counts = [second[name] for name in ("attempts", "max_attempts", "last_error", "revision")]
    assert counts == [0, 25, None, 1]
    assert second["run_at"] == second["updated_at"]


async def test_the_time_is_preserved_until_the_first_attempt(gw: Schema) -> None:
    await gw.add(job_key="k", run_at=LATER)
    again = {"job_key": "k", "run_at": MUCH_LATER, "job_key_mode": "preserve_run_at"}
    assert (await gw.add(**again))["run_at"] == LATER
    await gw.execute(f"update {S}._private_jobs set attempts = 1")
    assert (await gw.add(**again))["run_at"] == MUCH_LATER


@pytest.mark.parametrize("mode", ["replace", "preserve_run_at"])
async def test_two_lists_become_one(gw: Schema, mode: str) -> None:
    await gw.add(job_key="k", payload="[1]")
    job = await gw.add(job_key="k", payload='[{"a": 2}]', job_key_mode=mode)
    assert job["payload"] == '[1, {"a": 2}]'
    job = await gw.add(job_key="k", payload='{"no": "list"}', job_key_mode=mode)
    assert job["payload"] == '{"no": "list"}'
    job = await gw.add(job_key="k", payload="[3]", job_key_mode=mode)
    assert job["payload"] == "[3]"


@pytest.mark.parametrize("state", ["running", "failed for good"])
async def test_a_job_that_is_not_available_gives_up_its_key(gw: Schema, state: str) -> None:
    await gw.add(job_key="k", payload="[1]", queue_name="q")
    if state == "running":
        await gw.lock()
    else:
        await gw.execute(f"update {S}._private_jobs set attempts = max_attempts")
    new = await gw.add(job_key="k", payload="[2]")
    assert (new["revision"], new["attempts"], new["payload"]) == (0, 0, "[2]")
    old, stored = await gw.jobs()
    assert stored == new
    assert (old["key"], old["attempts"], old["payload"]) == (None, 25, "[1]")
    assert old["locked_by"] == ("w" if state == "running" else None)


@pytest.mark.parametrize("state", ["waiting", "running", "failed for good"])
async def test_dedupe_leaves_the_job_alone_whatever_its_state(gw: Schema, state: str) -> None:
    first = await gw.add(job_key="k", payload="[1]", run_at=LATER)
    if state == "running":
        await gw.lock()
    if state == "failed for good":
        await gw.execute(f"update {S}._private_jobs set attempts = max_attempts")
    [before] = await gw.jobs()
    again = await gw.add(
        "new task", job_key="k", payload="[2]", job_key_mode="unsafe_dedupe", queue_name="new"
    )
    assert again == {**before, "revision": 1, "updated_at": again["updated_at"]}
    assert again["updated_at"] > first["updated_at"]
    assert await gw.connection.fetchval(f"select count(*) from {S}._private_tasks") == 2
    assert await gw.connection.fetchval(f"select count(*) from {S}._private_job_queues") == 1


async def test_many_at_once(gw: Schema) -> None:
    jobs = await gw.add_many(
        [
            {"identifier": "a", "payload": [1], "queue_name": "q", "priority": 3},
            {"identifier": "b", "payload": None, "job_key": "k", "max_attempts": 2},
            {"identifier": "a", "payload": "text", "flags": ["f"], "unknown": True},
        ]
    )
    assert sorted(job["payload"] for job in jobs) == ['"text"', "[1]", "{}"]
    assert len({job["task_id"] for job in jobs}) == 2
    assert await gw.add_many([]) == []
    [job] = await gw.add_many([{"identifier": "b", "job_key": "k", "run_at": "2100-01-01Z"}], True)
    assert (job["revision"], job["run_at"].year < 2100) == (1, True)


async def test_one_key_twice_in_one_call_is_an_error(gw: Schema) -> None:
    with pytest.raises(asyncpg.CardinalityViolationError):
        await gw.add_many([{"identifier": "a", "job_key": "k"}] * 2)
    with pytest.raises(asyncpg.NotNullViolationError):
        await gw.add_many([{}])


async def test_known_names_take_no_numbers(gw: Schema) -> None:
    for _ in range(5):
        await gw.add(queue_name="q")
        await gw.add(queue_name="q", job_key="k", job_key_mode="unsafe_dedupe")
        await gw.add_many([{"identifier": "t", "queue_name": "q"}])
    await gw.add("other", queue_name="other")
    ids = f"select (select max(id) from {S}._private_tasks), (select max(id) from {S}._private_job_queues)"
    assert tuple(await gw.connection.fetchrow(ids)) == (2, 2)


@pytest.fixture
async def notes(gw: Schema) -> asyncio.Queue[str]:
    queue: asyncio.Queue[str] = asyncio.Queue()
    await gw.connection.add_listener("jobs:insert", lambda *note: queue.put_nowait(note[3]))
    return queue


async def test_notifications_count(gw: Schema, notes: asyncio.Queue[str]) -> None:
    await gw.add(job_key="k")
    await gw.add(job_key="k")
    await gw.add(job_key="k", job_key_mode="unsafe_dedupe")  # no new row: silent
    await gw.add(job_key="l", job_key_mode="unsafe_dedupe")
    await gw.add_many([{"identifier": "a"}, {"identifier": "b"}, {"identifier": "c"}])
    await gw.call("remove_job", "k")
    await gw.call("remove_job", "k")  # nothing to remove: silent
    await gw.lock()
    await gw.call("remove_job", "l")  # only takes the key: silent
    await gw.add_many([])
    texts = [await notes.get() for _ in range(6)]
    assert texts.pop() == "", "no specs: an empty payload"
    assert [json.loads(text)["count"] for text in texts] == [1, 1, 1, 3, -1]
    assert all(set(json.loads(text)) == {"r", "count"} for text in texts)
    assert " " not in "".join(texts)
    assert texts[0].startswith('{"r":0.') or "e-" in texts[0]
    assert notes.empty()


async def test_equal_notifications_of_one_transaction_all_arrive(
    gw: Schema, notes: asyncio.Queue[str]
) -> None:
    async with gw.connection.transaction():
        for _ in range(3):
            await gw.add()
    assert len({await notes.get() for _ in range(3)}) == 3


async def test_removing_by_key(gw: Schema) -> None:
    waiting = await gw.add(job_key="waiting")
    assert await gw.call("remove_job", "waiting") == waiting
    failed = await gw.add(job_key="failed")
    await gw.execute(f"update {S}._private_jobs set attempts = max_attempts")
    assert (await gw.call("remove_job", "failed"))["id"] == failed["id"]
    assert await gw.jobs() == []

    running = await gw.add(job_key="running")
    await gw.lock()
    removed = await gw.call("remove_job", "running")
    assert (removed["id"], removed["key"], removed["attempts"]) == (running["id"], None, 25)
    assert removed["locked_by"] == "w"

    stale = await gw.add(job_key="stale")
    await gw.lock(age="4 hours 1 second", id=stale["id"])
    assert (await gw.call("remove_job", "stale"))["id"] == stale["id"]
    assert [job["id"] for job in await gw.jobs()] == [running["id"]]

    for key in ("nobody", None):
        assert set((await gw.call("remove_job", key)).values()) == {None}


async def _four(gw: Schema) -> list[int]:
    """A waiting job, a running one, one with a stale lock, and a failed one."""
    ids = [(await gw.add(queue_name="q"))["id"] for _ in range(4)]
    await gw.lock(id=ids[1])
    await gw.lock(age="4 hours 1 second", id=ids[2])
    await gw.execute(
        f"update {S}._private_jobs set attempts = max_attempts where id = {ids[3]}; "
        f"update {S}._private_job_queues set locked_by = 'w', locked_at = now()"
    )
    return ids


async def test_completing_by_hand(gw: Schema) -> None:
    ids = await _four(gw)
    done = await gw.rows("complete_jobs", [*ids, 999, None])
    assert sorted(job["id"] for job in done) == [ids[0], ids[2], ids[3]]
    assert [job["id"] for job in await gw.jobs()] == [ids[1]]
    assert await gw.rows("complete_jobs", None) == []
    assert await gw.connection.fetchval(f"select locked_by from {S}._private_job_queues") == "w"


async def test_failing_by_hand(gw: Schema) -> None:
    ids = await _four(gw)
    failed = await gw.rows("permanently_fail_jobs", ids)
    assert sorted(job["id"] for job in failed) == [ids[0], ids[2], ids[3]]
    assert {(job["attempts"], job["last_error"]) for job in failed} == {
        (25, "Manually marked as failed")
    }
    assert {job["locked_by"] for job in failed if job["id"] == ids[2]} == {"w"}
    [job] = await gw.rows("permanently_fail_jobs", ids[:1], "")
    assert job["last_error"] == ""
    assert job["updated_at"] > job["created_at"]


async def test_rescheduling_by_hand(gw: Schema) -> None:
    ids = await _four(gw)
    changed = await gw.rows(
        "reschedule_jobs", ids, run_at=LATER, priority=5, attempts=-1, max_attempts=7
    )
    assert sorted(job["id"] for job in changed) == [ids[0], ids[2], ids[3]]
    assert {
        (job["run_at"], job["priority"], job["attempts"], job["max_attempts"]) for job in changed
    } == {(LATER, 5, -1, 7)}
    [before] = [job for job in changed if job["id"] == ids[0]]
    [after] = await gw.rows("reschedule_jobs", ids[:1])
    assert after == {**before, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    with pytest.raises(asyncpg.NumericValueOutOfRangeError):
        await gw.rows("reschedule_jobs", ids, priority=40000)
    with pytest.raises(asyncpg.CheckViolationError):
        await gw.rows("reschedule_jobs", ids, max_attempts=0)


async def test_unlocking_by_hand(gw: Schema) -> None:
    await gw.add(queue_name="q")
    await gw.add(queue_name="q")
    await gw.lock()
    await gw.execute(f"update {S}._private_jobs set locked_by = 'other' where id = 1")
    before = await gw.jobs()
    await gw.call("force_unlock_workers", ["w", "nobody"])
    one, two = await gw.jobs()
    assert one == before[0]
    assert two == {**before[1], "locked_at": None, "locked_by": None, "is_available": True}
    assert await gw.connection.fetchval(f"select is_available from {S}._private_job_queues")
    await gw.call("force_unlock_workers", None)


async def test_heartbeats(gw: Schema) -> None:
    async def worker() -> dict[str, Any]:
        return dict(await gw.connection.fetchrow(f"select * from {S}._private_workers"))

    await gw.call("worker_heartbeat", "w", '{"pid": 1}')
    first = await worker()
    assert first["metadata"] == '{"pid": 1}'
    await gw.call("worker_heartbeat", "w")
    second = await worker()
    assert second["last_heartbeat_at"] > first["last_heartbeat_at"]
    assert (second["started_at"], second["metadata"]) == (first["started_at"], '{"pid": 1}')
    await gw.call("worker_heartbeat", "w", "null")
    assert (await worker())["metadata"] == "null"
    with pytest.raises(asyncpg.NotNullViolationError):
        await gw.call("worker_heartbeat", None)
    await gw.call("worker_deregister", "nobody")
    await gw.call("worker_deregister", "w")
    assert await gw.connection.fetchval(f"select count(*) from {S}._private_workers") == 0


async def test_dead_workers_are_found_and_their_jobs_given_back(gw: Schema) -> None:
    minute = timedelta(minutes=1)
    await gw.execute(
        f"select {S}.worker_heartbeat(w) from unnest(array['alive', 'stale']) as w; "
        f"update {S}._private_workers set last_heartbeat_at = now() - interval '2 min' "
        "where id = 'stale'"
    )
    for owner, age in (("alive", "2 min"), ("stale", "2 min"), ("orphan", "2 min"), ("new", "0")):
        job = await gw.add(queue_name=f"of {owner}", run_at=LATER if owner == "orphan" else None)
        await gw.lock(by=owner, age=age, id=job["id"])
    await gw.execute(
        f"update {S}._private_job_queues set locked_by = substr(queue_name, 4), "
        "locked_at = now() - interval '2 min' where queue_name <> 'of new'"
    )
    assert await gw.rows("list_stale_workers", minute) == [{"worker_id": "stale"}]
    assert await gw.rows("list_orphan_locked_workers", minute) == [{"worker_id": "orphan"}]
    assert await gw.rows("list_stale_workers", None) == []

    before = {job["locked_by"]: job for job in await gw.jobs()}
    dead = ["stale", "orphan"]
    assert await gw.call("recover_dead_worker_jobs", dead, 30 * minute) == {
        "recover_dead_worker_jobs": 2
    }
    after = {job["id"]: job for job in await gw.jobs()}
    stale, orphan = after[before["stale"]["id"]], after[before["orphan"]["id"]]
    for job in (stale, orphan):
        assert (job["attempts"], job["locked_at"], job["locked_by"]) == (0, None, None)
        assert job["last_error"] == "Job recovered after worker interruption"
    assert stale["run_at"] == stale["updated_at"] + 30 * minute
    assert orphan["run_at"] == LATER
    assert after[before["alive"]["id"]] == before["alive"]
    free = await gw.connection.fetch(
        f"select queue_name from {S}._private_job_queues where is_available order by 1"
    )
    assert [row[0] for row in free] == ["of orphan", "of stale"]

    assert await gw.call("recover_dead_worker_jobs", None) == {"recover_dead_worker_jobs": 0}
    await gw.execute(f"select {S}.delete_stale_workers(array['stale', 'nobody'])")
    assert await gw.connection.fetchval(f"select id from {S}._private_workers") == "alive"


async def test_a_null_delay_leaves_the_time_alone(gw: Schema) -> None:
    job = await gw.add()
    await gw.lock()
    await gw.call("recover_dead_worker_jobs", ["w"], None)
    assert (await gw.jobs())[0]["run_at"] == job["run_at"]


async def _add_while_claiming(gw: Schema, url: str) -> dict[str, Any]:
    """Add a job for a key whose job another session has just claimed, but not committed."""
    await gw.add(job_key="k", payload="[1]")
    claimer = await asyncpg.connect(url)
    claim = claimer.transaction()
    await claim.start()
    await claimer.execute(
        f"update {S}._private_jobs set locked_at = now(), locked_by = 'w', attempts = 1"
    )
    adding = asyncio.create_task(gw.add(job_key="k", payload="[2]"))
    await until_somebody_waits(claimer)
    await claim.commit()
    await claimer.close()
    return await adding


async def test_a_job_is_not_lost_to_a_claim_of_the_same_key(
    gw: Schema, empty_database: str
) -> None:
    new = await _add_while_claiming(gw, empty_database)
    assert (new["key"], new["payload"]) == ("k", "[2]")
    old, stored = await gw.jobs()
    assert (old["locked_by"], old["key"], old["attempts"]) == ("w", None, 25)
    assert stored == new


async def test_it_was_lost_before_revision_19(gw_at_18: Schema, empty_database: str) -> None:
    nothing = await _add_while_claiming(gw_at_18, empty_database)
    assert set(nothing.values()) == {None}
    assert len(await gw_at_18.jobs()) == 1


async def test_no_job_is_an_error_that_names_the_key(gw: Schema) -> None:
    await gw.execute(
        f"create or replace function {S}.add_jobs(specs {S}.job_spec[], "
        f"job_key_preserve_run_at boolean default false) returns setof {S}._private_jobs "
        "language sql as 'select null::graphile_worker._private_jobs limit 0'"
    )
    for key, named in (("k", "k"), (None, "<null>")):
        with pytest.raises(asyncpg.PostgresError) as caught:
            await gw.add(job_key=key)
        assert caught.value.sqlstate == "GWNOR"
        assert str(caught.value) == f'Unable to schedule job for key "{named}"'


async def test_sessions_that_add_the_same_keys_in_any_order_do_not_deadlock(
    gw: Schema, empty_database: str
) -> None:
    keys = [f"key {n}" for n in range(30)]
    specs = [{"identifier": f"t {key}", "queue_name": key, "job_key": key} for key in keys]

    async def adder(order: int) -> None:
        session = Schema(await asyncpg.connect(empty_database))
        for _ in range(5):
            await session.add_many(specs[::order])
        await session.connection.close()

    await asyncio.gather(*(adder(order) for order in (1, -1, 1, -1)))
    assert {job["revision"] for job in await gw.jobs()} == {19}


async def test_the_view_shows_names_and_no_payload(gw: Schema) -> None:
    await gw.add("task", queue_name="queue", payload='{"secret": 1}', flags=["f"])
    row = dict(await gw.connection.fetchrow(f"select * from {S}.jobs"))
    assert (row["task_identifier"], row["queue_name"], row["flags"]) == (
        "task",
        "queue",
        '{"f": true}',
    )
    assert "payload" not in row
