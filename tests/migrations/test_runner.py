from __future__ import annotations

import asyncio
import json
import logging

import asyncpg
import pytest
from support.blocked_sessions import until_somebody_waits
from support.older_schemas import (
    LEDGER,
    forget_breaking,
    make_at,
    make_ledger,
    make_node_at,
    make_rust_at,
    record,
)
from support.schema_facts import bodies, ledger, schema_facts
from support.watched_database import CountingDatabase

from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.errors import IncompatibleSchemaError, LockedJobsError, MigrationError
from graphile_worker.migrations.runner import MigrationResult, migrate

ODD_NAMES = ["Case-Schema", 'with"quote', "éclair", "select", "a$$b", "with space", "x'; --", "%s"]


async def test_a_fresh_schema_gets_everything(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    result = await migrate(database, schema)
    assert result == MigrationResult(
        before=0, after=20, applied=tuple(range(1, 21)), warnings=(), has_queue_index=True
    )
    assert await ledger(postgres, schema) == list(LEDGER)


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_any_name_will_do(
    name: str, database: Database, postgres: asyncpg.Connection
) -> None:
    schema = Schema(name)
    await migrate(database, schema)
    job = await postgres.fetchrow(
        f"select * from {schema.quoted}.add_job('t', queue_name := 'q', job_key := 'k')"
    )
    assert job["key"] == "k"
    assert await postgres.fetchval(f"select task_identifier from {schema.quoted}.jobs") == "t"
    assert (await migrate(database, schema)).applied == ()


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_any_name_will_do_for_an_old_schema(
    name: str, database: Database, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, Schema(name), 9)
    assert (await migrate(database, Schema(name))).after == 20


async def test_a_settled_schema_costs_one_query(database: Database, schema: Schema) -> None:
    await migrate(database, schema)
    counting = CountingDatabase(database)
    result = await migrate(counting, schema)
    assert counting.sent == ["schema_state"]
    assert result == MigrationResult(
        before=20, after=20, applied=(), warnings=(), has_queue_index=True
    )


@pytest.mark.parametrize("revision", [0, 1, 3, 10, 15, 18, 19])
async def test_ten_at_once_all_succeed(
    revision: int, empty_database: str, schema: Schema, postgres: asyncpg.Connection
) -> None:
    if revision:
        await make_at(postgres, schema, revision)
    databases = [await connect(empty_database, max_connections=1) for _ in range(10)]
    try:
        results = await asyncio.gather(*(migrate(database, schema) for database in databases))
    finally:
        await asyncio.gather(*(database.aclose() for database in databases))
    assert {result.after for result in results} == {20}
    applied = sorted(number for result in results for number in result.applied)
    assert applied == list(range(revision + 1, 21)), "each revision is applied by exactly one"
    assert await ledger(postgres, schema) == list(LEDGER)
    # The other way to the same schema.
    await make_at(postgres, Schema("reference"), 20)
    reference = await schema_facts(postgres, Schema("reference"))
    assert await schema_facts(postgres, schema) == reference


@pytest.mark.parametrize("gives_up", [True, False])
async def test_another_runner_that_is_at_the_first_revision_is_waited_for(
    gives_up: bool, database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_ledger(postgres, schema)
    other = postgres.transaction()
    await other.start()
    await record(postgres, schema, 1, breaking=True)
    ours = asyncio.create_task(migrate(database, schema))
    await until_somebody_waits(postgres)
    if gives_up:
        await other.rollback()
        first = 1
    else:
        from graphile_worker.migrations import catalog

        await postgres.execute(schema.fill(catalog.upgrade(1).text))
        await other.commit()
        first = 2
    result = await ours
    assert result.applied == tuple(range(first, 21))
    assert await ledger(postgres, schema) == list(LEDGER)


async def test_listeners_are_told_of_each_step(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, 12)
    told: asyncio.Queue[str] = asyncio.Queue()
    await postgres.add_listener("worker:migrate", lambda *note: told.put_nowait(note[3]))
    await migrate(database, schema)
    notices = [await told.get() for _ in range(8)]
    assert notices[0] == '{"migrationNumber":13,"breaking":true}'
    assert [json.loads(notice) for notice in notices] == [
        {"migrationNumber": number, "breaking": breaking} for number, breaking in LEDGER[12:]
    ]


async def test_a_fresh_schema_stops_nobody_elses_workers(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    await postgres.add_listener("worker:migrate", lambda *note: told.put_nowait(note[3]))
    await migrate(database, schema)
    notices = [json.loads(await told.get()) for _ in range(2)]
    assert [notice["migrationNumber"] for notice in notices] == [19, 20]
    assert not any(notice["breaking"] for notice in notices)


async def test_a_newer_schema_without_breaking_changes_is_only_warned_of(
    database: Database,
    schema: Schema,
    postgres: asyncpg.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await migrate(database, schema)
    await record(postgres, schema, 999, breaking=False)
    with caplog.at_level(logging.WARNING):
        result = await migrate(database, schema)
    assert (result.before, result.after, result.applied) == (999, 999, ())
    logged = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert result.warnings == tuple(logged)
    assert "at revision 999" in result.warnings[0]


async def test_a_newer_breaking_schema_is_refused(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await migrate(database, schema)
    await record(postgres, schema, 21, breaking=True)
    await record(postgres, schema, 22, breaking=False)
    with pytest.raises(
        IncompatibleSchemaError, match=r"at revision 22.*breaking revision 21.*up to revision 20"
    ):
        await migrate(database, schema)


async def test_a_breaking_revision_is_refused_before_anything_runs(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_ledger(postgres, schema)
    await record(postgres, schema, 999999, breaking=True)
    with pytest.raises(IncompatibleSchemaError):
        await migrate(database, schema)
    assert await ledger(postgres, schema) == [(999999, True)]


@pytest.mark.parametrize("revision", [1, 9, 14])
async def test_a_ledger_that_does_not_say_what_was_breaking_is_completed(
    revision: int, database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, revision)
    await forget_breaking(postgres, schema)
    result = await migrate(database, schema)
    assert (result.before, result.after) == (revision, 20)
    assert result.applied == tuple(range(revision + 1, 21))
    assert await ledger(postgres, schema) == list(LEDGER)


async def test_gaps_below_the_highest_revision_are_not_filled(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, 18)
    await postgres.execute(f"delete from {schema.quoted}.migrations where id in (4, 7)")
    assert (await migrate(database, schema)).applied == (19, 20)


@pytest.mark.parametrize("revision", range(7, 20))
async def test_a_schema_that_rust_left_behind_is_taken_over(
    revision: int, database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_rust_at(postgres, schema, revision)
    await migrate(database, schema)
    await make_at(postgres, Schema("reference"), 20)
    reference = await schema_facts(postgres, Schema("reference"))
    assert await schema_facts(postgres, schema) == reference


@pytest.mark.parametrize("revision", [19, 20])
async def test_the_functions_of_nodes_19_and_20_are_kept(
    revision: int, database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_node_at(postgres, schema, revision)
    before = await bodies(postgres, schema)
    result = await migrate(database, schema)
    assert (result.before, result.after) == (revision, 20)
    assert result.applied == ((20,) if revision == 19 else ())
    assert "Node's functions were kept" in result.warnings[0]
    assert (await ledger(postgres, schema))[-2:] == [(19, True), (20, False)]
    after = await bodies(postgres, schema)
    assert {name: after[name] for name in before} == before
    assert "GWNOR" not in after["add_job"]
    await postgres.execute(f"select {schema.quoted}.worker_heartbeat('a worker')")

    settled = await migrate(database, schema)
    assert settled == MigrationResult(
        before=20, after=20, applied=(), warnings=(), has_queue_index=True
    )


async def test_ten_at_once_add_the_registry_to_nodes_revision_20(
    empty_database: str, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_node_at(postgres, schema, 20)
    databases = [await connect(empty_database, max_connections=1) for _ in range(10)]
    try:
        await asyncio.gather(*(migrate(database, schema) for database in databases))
    finally:
        await asyncio.gather(*(database.aclose() for database in databases))
    assert await postgres.fetchval(f"select count(*) from {schema.quoted}._private_workers") == 0


async def test_locked_jobs_stop_revision_11_and_only_that(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, 8)
    await postgres.execute(f"select {schema.quoted}.add_job('t')")
    await postgres.execute(f"select {schema.quoted}.get_job('worker-of-mine')")
    with pytest.raises(
        LockedJobsError, match=r"revision 11 .* \(locked jobs: 1\)\. Stop all workers"
    ):
        await migrate(database, schema)
    assert (await ledger(postgres, schema))[-1] == (10, False)
    assert await postgres.fetchval(f"select count(*) from {schema.quoted}.jobs") == 1

    await postgres.execute(
        f"update {schema.quoted}.jobs set locked_at = now() - interval '4 hours 1 second'"
    )
    assert (await migrate(database, schema)).applied == tuple(range(11, 21))
    assert await postgres.fetchval(f"select locked_by from {schema.quoted}.jobs") is None


async def test_a_step_that_fails_leaves_the_schema_at_the_one_before(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, 7)
    await postgres.execute(f"select {schema.quoted}.add_job('t', priority := 40000)")
    with pytest.raises(MigrationError, match=r"revision 10 to 11.*smallint") as caught:
        await migrate(database, schema)
    assert caught.value.sqlstate == "22003"
    assert (await ledger(postgres, schema))[-1] == (10, False)


async def test_a_clash_inside_a_step_is_not_taken_for_another_runners_work(
    database: Database, schema: Schema, postgres: asyncpg.Connection
) -> None:
    await make_at(postgres, schema, 16)
    await postgres.execute(f"create table {schema.quoted}.jobs ()")
    with pytest.raises(MigrationError, match="revision 16 to 17") as caught:
        await migrate(database, schema)
    assert caught.value.sqlstate == "42P07"
    assert (await ledger(postgres, schema))[-1] == (16, True)


async def test_a_deadlock_with_a_worker_is_tried_again(
    database: Database, schema: Schema, postgres: asyncpg.Connection, empty_database: str
) -> None:
    await make_at(postgres, schema, 10)
    # Takes job_queues, then wants jobs; revision 11 takes them the other way round.
    worker = postgres.transaction()
    await worker.start()
    await postgres.execute("set local deadlock_timeout = '1min'")
    await postgres.execute(f"lock table {schema.quoted}.job_queues in share mode")
    ours = asyncio.create_task(migrate(database, schema))
    await until_somebody_waits(postgres)
    await postgres.execute(f"lock table {schema.quoted}.jobs in share mode")
    await worker.commit()
    assert (await ours).applied == tuple(range(11, 21))
