"""Each fault is made in a real database, and found; a healthy system has none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from support.running import running, sql, until

from graphile_worker import task
from graphile_worker.database.schema import Schema
from graphile_worker.doctor.examine import examine
from graphile_worker.doctor.expected_indexes import EXPECTED
from graphile_worker.doctor.finding import Finding, Level
from graphile_worker.doctor.purposes import PURPOSES
from graphile_worker.doctor.thresholds import Thresholds
from graphile_worker.drivers.connect import connect
from graphile_worker.queries.server_readings import index_definitions
from graphile_worker.testing.databases import database_url

SCHEMA = Schema("graphile_worker")
OK, WARNING, PROBLEM = Level.OK, Level.WARNING, Level.PROBLEM

ALIVE = """
select graphile_worker.worker_heartbeat(
  'alive',
  '{"host": "one", "pid": 7, "tasks": ["known"], "crons": ["nightly"], "max_pg_conn": 20}'
);
"""

CHECKS = [
    *("database", "server", "clock", "notifications", "schema", "rights", "connections"),
    *("workers", "locks", "queues", "unserved", "identifiers", "crontabs"),
    *("vacuum", "transactions", "indexes", "sequences"),
]

Look = Callable[..., Awaitable[dict[str, Finding]]]


@pytest.fixture
async def postgres(gw_database: str) -> AsyncIterator[asyncpg.Connection]:
    async with sql(gw_database) as connection:
        yield connection


@pytest.fixture
async def look(gw_database: str) -> AsyncIterator[Look]:
    """All findings about the test's database, by check."""
    database = await connect(gw_database, max_connections=2)

    async def findings(*, now: Any = None, **thresholds: Any) -> dict[str, Finding]:
        found = await examine(database, SCHEMA, thresholds=Thresholds(**thresholds), now=now)
        return {finding.check: finding for finding in found}

    yield findings
    await database.aclose()


def faults(found: dict[str, Finding]) -> dict[str, Level]:
    """What is not well; that the server of the tests is an old one does not count."""
    return {
        name: finding.level
        for name, finding in found.items()
        if finding.level is not OK and (name, finding.level) != ("server", WARNING)
    }


@task(payload=None)
async def known() -> None: ...


async def test_it_is_silent_about_a_healthy_system(gw_database: str, look: Look):
    async with running(gw_database, tasks=[known], crons=["0 4 * * * known"]) as worker:
        await until(lambda: _listening(worker))
        await worker.create_utils().add_job(known)
        found = await look()
    assert faults(found) == {}, found
    assert list(found) == CHECKS
    assert {name for name, finding in found.items() if finding.remedy} <= {"server"}


async def _listening(worker: Any) -> bool:
    return worker.health().listening


FAULTS = {
    "nobody works, and jobs wait": (
        "select graphile_worker.add_job('known')",
        ("workers", PROBLEM, "no worker sends heartbeats, and jobs are due"),
    ),
    "nobody works": ("select", ("workers", WARNING, "no worker sends heartbeats")),
    "a worker fell silent": (
        ALIVE + "insert into graphile_worker._private_workers (id, last_heartbeat_at) "
        "values ('silent', now() - interval '10 minutes')",
        ("workers", WARNING, "1 worker of 2 fell silent: silent"),
    ),
    "a dead worker holds a job": (
        ALIVE + "select graphile_worker.add_job('known');"
        "insert into graphile_worker._private_workers (id, last_heartbeat_at, started_at) "
        "values ('silent', now() - interval '10 minutes', now() - interval '1 day');"
        "update graphile_worker._private_jobs "
        "set locked_by = 'silent', locked_at = now() - interval '11 minutes'",
        ("locks", PROBLEM, "silent (1 job, for 11 min, job 1: the worker fell silent)"),
    ),
    "a job is locked from before its worker began": (
        ALIVE + "select graphile_worker.add_job('known');"
        "update graphile_worker._private_jobs "
        "set locked_by = 'alive', locked_at = now() - interval '2 hours'",
        ("locks", PROBLEM, "alive (1 job, for 2 h, job 1: the worker began after the lock)"),
    ),
    "a swept worker of ours holds a job": (
        ALIVE + "select graphile_worker.add_job('known');"
        "update graphile_worker._private_jobs "
        "set locked_by = 'graphile_worker_py0123', locked_at = now()",
        ("locks", PROBLEM, "the worker was taken for dead"),
    ),
    "a lock of nobody is older than four hours": (
        ALIVE + "select graphile_worker.add_job('known');"
        "update graphile_worker._private_jobs "
        "set locked_by = 'pool-1', locked_at = now() - interval '5 hours'",
        ("locks", PROBLEM, "pool-1 (1 job, for 5 h, job 1: older than 4 h"),
    ),
    "a queue is locked without a job": (
        ALIVE + "select graphile_worker.add_job('known', queue_name := 'mail');"
        "update graphile_worker._private_job_queues "
        "set locked_by = 'alive', locked_at = now() - interval '1 minute'",
        ("queues", PROBLEM, "1 queue locked by nobody alive, whose jobs never run: 'mail'"),
    ),
    "a dead worker holds a queue": (
        ALIVE + "select graphile_worker.add_job('known', queue_name := 'mail');"
        "insert into graphile_worker._private_workers (id, last_heartbeat_at, started_at) "
        "values ('silent', now() - interval '10 minutes', now() - interval '1 day');"
        "update graphile_worker._private_jobs "
        "set locked_by = 'silent', locked_at = now() - interval '11 minutes';"
        "update graphile_worker._private_job_queues "
        "set locked_by = 'silent', locked_at = now() - interval '11 minutes'",
        ("queues", PROBLEM, "'mail' (by silent, for 11 min)"),
    ),
    "jobs wait for a task that nobody knows": (
        ALIVE + "select graphile_worker.add_job('typo', run_at := now() - interval '2 minutes')",
        ("unserved", PROBLEM, "no live worker knows these tasks"),
    ),
    "a task that nobody knows": (
        ALIVE + "select graphile_worker.add_job('gone', run_at := now() + interval '1 day')",
        ("identifiers", WARNING, "no live worker knows: 'gone' (1 job)"),
    ),
    "jobs without a task": (
        ALIVE + "select graphile_worker.add_job('known');"
        "delete from graphile_worker._private_tasks",
        ("identifiers", PROBLEM, "1 job without a task"),
    ),
    "two deployments own a crontab entry": (
        ALIVE + "select graphile_worker.worker_heartbeat("
        '  \'other\', \'{"tasks": ["known", "more"], "crons": ["nightly"]}\');',
        ("crontabs", WARNING, "'nightly' by one:7 and other"),
    ),
    "pools larger than the database's limit": (
        ALIVE + "do $$ begin execute format("
        "'alter database %I connection limit 10', current_database()); end $$",
        ("connections", PROBLEM, "1 worker may open 20 connections of 10"),
    ),
    "pools larger than the server": (
        "select graphile_worker.worker_heartbeat('greedy', '{\"max_pg_conn\": 5000}')",
        ("connections", PROBLEM, "1 worker may open 5,000 connections of"),
    ),
    "autovacuum is off for the jobs": (
        ALIVE + "alter table graphile_worker._private_jobs set (autovacuum_enabled = off)",
        ("vacuum", PROBLEM, "autovacuum is off for _private_jobs"),
    ),
    "an index was dropped": (
        ALIVE + "drop index graphile_worker.jobs_main_index",
        ("indexes", PROBLEM, "1 index of the schema missing: jobs_main_index"),
    ),
    "our index was never made": (
        ALIVE + "drop index graphile_worker.graphile_worker_py_queue_heads",
        ("indexes", WARNING, "graphile_worker_py_queue_heads is missing, or was given up"),
    ),
    "a key was dropped": (
        ALIVE + "alter table graphile_worker._private_jobs drop constraint jobs_key_key1",
        ("indexes", PROBLEM, "1 index of the schema missing: jobs_key_key1"),
    ),
    "ids are near their end": (
        ALIVE + "select setval('graphile_worker.tasks_id_seq', 2000000000)",
        ("sequences", PROBLEM, "tasks_id_seq at 2,000,000,000 of 2,147,483,647"),
    ),
    "ids are on their way to the end": (
        ALIVE + "select setval('graphile_worker.job_queues_id_seq', 1600000000)",
        ("sequences", WARNING, "job_queues_id_seq at 1,600,000,000"),
    ),
    "an older revision": (
        ALIVE + "delete from graphile_worker.migrations where id = 20",
        ("schema", WARNING, "revision 19 of 20"),
    ),
    "a breaking revision of the future": (
        ALIVE + "insert into graphile_worker.migrations (id, breaking) values (99, true)",
        ("schema", PROBLEM, "breaking revision 99"),
    ),
    "no registry of workers": (
        "drop table graphile_worker._private_workers",
        ("schema", PROBLEM, "no registry of workers"),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_it_finds(name: str, look: Look, postgres: asyncpg.Connection):
    fault, (check, level, message) = FAULTS[name]
    await postgres.execute(fault)
    finding = (await look())[check]
    assert (finding.level, finding.check) == (level, check), finding
    assert message in finding.message
    assert finding.remedy


async def test_a_task_whose_jobs_are_due_is_told_once(look, postgres):
    await postgres.execute(FAULTS["jobs wait for a task that nobody knows"][0])
    assert faults(await look()) == {"unserved": PROBLEM}


@pytest.mark.parametrize(
    "name",
    [
        *("an index was dropped", "a key was dropped", "autovacuum is off for the jobs"),
        "jobs without a task",
    ],
)
async def test_a_remedy_that_is_sql_mends_it(name, look, postgres):
    fault, (check, *_) = FAULTS[name]
    await postgres.execute(fault)
    await postgres.execute((await look())[check].remedy.removeprefix("delete them: "))
    assert (await look())[check].level is OK


async def test_a_lock_of_a_paused_queue_and_of_a_running_job_are_as_they_should_be(look, postgres):
    await postgres.execute(
        ALIVE + "select graphile_worker.add_job('known', queue_name := q) "
        "from unnest(array['busy', 'paused']) as q;"
        "update graphile_worker._private_workers set started_at = now() - interval '1 day';"
        "update graphile_worker._private_job_queues set locked_at = now() - interval '1 hour',"
        "  locked_by = case queue_name when 'busy' then 'alive' else 'paused:alice' end;"
        "update graphile_worker._private_jobs set locked_at = now() - interval '1 hour',"
        "  locked_by = 'alive' where id = 1"
    )
    assert faults(await look()) == {}


async def test_without_a_registry_the_storage_is_still_checked(look, postgres):
    await postgres.execute("drop table graphile_worker._private_workers")
    found = await look()
    assert faults(found) == {"schema": PROBLEM}
    assert {"vacuum", "transactions", "indexes", "sequences"} <= set(found)
    assert "workers" not in found


async def test_an_index_that_was_given_up(gw_database, look, postgres):
    await postgres.execute(
        ALIVE + "select graphile_worker.add_job('known', run_at := now() + interval '1 day') "
        "from generate_series(1, 2)"
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await postgres.execute(
            "create unique index concurrently mine on graphile_worker._private_jobs (priority)"
        )
    finding = (await look())["indexes"]
    assert finding.level is WARNING
    assert finding.message == "PostgreSQL does not use mine (invalid)"


async def test_a_database_that_cannot_hold_every_payload(server):
    async with sql(server.url) as connection:
        await connection.execute(
            "create database gw_ascii encoding 'SQL_ASCII' template template0 "
            "lc_collate 'C' lc_ctype 'C'"
        )
    try:
        database = await connect(database_url(server.url, "gw_ascii"))
        found = {finding.check: finding for finding in await examine(database, SCHEMA)}
        await database.aclose()
    finally:
        async with sql(server.url) as connection:
            await connection.execute("drop database gw_ascii with (force)")
    assert found["server"].level is PROBLEM
    assert "encoding SQL_ASCII" in found["server"].message


async def test_replicas_of_one_deployment_share_their_crontab(look, postgres):
    await postgres.execute(ALIVE + ALIVE.replace("'alive'", "'replica'"))
    assert faults(await look()) == {}


async def test_a_worker_that_does_not_say_what_it_knows_may_know_everything(look, postgres):
    await postgres.execute(
        ALIVE + "select graphile_worker.worker_heartbeat('rust', '{\"pid\": 1}');"
        "select graphile_worker.add_job('theirs', run_at := now() - interval '2 minutes')"
    )
    found = await look()
    assert faults(found) == {}
    assert "; 1 did not say how many" in found["connections"].message


@pytest.mark.full
async def test_dead_rows_that_nobody_removes(look, postgres):
    await postgres.execute(
        ALIVE + "insert into graphile_worker._private_jobs (task_id) "
        "select 1 from generate_series(1, 3000);"
        "delete from graphile_worker._private_jobs"
    )

    async def found() -> Finding | None:
        finding = (await look(dead_rows=2000))["vacuum"]
        return None if finding.level is OK else finding

    finding = await until(found)
    assert finding.level is WARNING
    assert "_private_jobs has 3,000 dead rows, 0 live, never vacuumed" in finding.message
    assert (await look())["vacuum"].level is OK, "it takes more than that"


async def test_rows_that_were_not_frozen_for_long(look, postgres):
    await postgres.execute(ALIVE)
    found = await look(transaction_age=0)
    assert "not frozen for long: " in found["vacuum"].message
    assert found["vacuum"].level is WARNING
    assert (await look(transaction_age=0, transaction_age_problem=0))["vacuum"].level is PROBLEM


async def test_an_open_transaction(gw_database, look, postgres):
    await postgres.execute(ALIVE)
    async with sql(gw_database) as other, other.transaction(isolation="repeatable_read"):
        await other.execute("set application_name = 'a report'; select 1")
        found = await look(old_transaction=0)
        assert found["transactions"].level is WARNING
        assert "(a report, idle in transaction) for" in found["transactions"].message
        stuck = await look(old_transaction=0, stuck_transaction=0)
        assert stuck["transactions"].level is PROBLEM
    assert (await look(old_transaction=0))["transactions"].level is OK


@pytest.mark.parametrize(
    ("difference", "level", "message"),
    [(10, WARNING, "s ahead of the database"), (-3605, PROBLEM, "1 h behind the database")],
)
async def test_a_clock_that_is_wrong(difference, level, message, look, postgres):
    await postgres.execute(ALIVE)
    found = await look(now=lambda: datetime.now(UTC) + timedelta(seconds=difference))
    assert found["clock"].level is level
    assert message in found["clock"].message


async def test_a_role_that_sees_no_rows(gw_database, postgres):
    await postgres.execute(
        "create role blind; grant usage on schema graphile_worker to blind;"
        "grant all on all tables in schema graphile_worker to blind;"
        "grant execute on all functions in schema graphile_worker to blind"
    )
    try:
        [finding] = await findings_as("blind", gw_database)
    finally:
        await postgres.execute("drop owned by blind; drop role blind")
    assert "row level security hides all jobs from the role 'blind'" in finding.message
    assert finding.remedy.startswith("grant ")


async def test_a_role_that_lacks_rights(gw_database, postgres):
    await postgres.execute(
        "create role reader bypassrls; grant usage on schema graphile_worker to reader;"
        "grant select on all tables in schema graphile_worker to reader"
    )
    try:
        [finding] = await findings_as("reader", gw_database)
    finally:
        await postgres.execute("drop owned by reader; drop role reader")
    assert "the role 'reader' lacks" in finding.message
    assert "delete on graphile_worker._private_jobs" in finding.items


async def test_who_only_reads_needs_no_other_right(
    gw_database: str, postgres: asyncpg.Connection
) -> None:
    await postgres.execute(
        "create role onlooker bypassrls; grant usage on schema graphile_worker to onlooker;"
        "grant select on all tables in schema graphile_worker to onlooker"
    )
    as_onlooker = f"{gw_database}{'&' if '?' in gw_database else '?'}options=-c%20role%3Donlooker"
    database = await connect(as_onlooker)
    try:
        found = await examine(database, SCHEMA, only_reads=True)
        await postgres.execute("revoke select on graphile_worker._private_jobs from onlooker")
        less = await examine(database, SCHEMA, only_reads=True)
    finally:
        await database.aclose()
        await postgres.execute("drop owned by onlooker; drop role onlooker")
    assert [finding.check for finding in found] == CHECKS
    assert [finding.message for finding in found if finding.check == "rights"] == [
        "the role 'onlooker' may read all there is"
    ]
    assert less[-1].items == ("select on graphile_worker._private_jobs",)


def test_every_check_has_a_purpose() -> None:
    assert list(PURPOSES) == [*CHECKS, "shutdown"]


async def findings_as(role: str, url: str) -> list[Finding]:
    """What is wrong, seen by a role."""
    database = await connect(f"{url}{'&' if '?' in url else '?'}options=-c%20role%3D{role}")
    try:
        found = await examine(database, SCHEMA)
    finally:
        await database.aclose()
    assert [finding.check for finding in found][-1] == "rights", "nothing more can be read"
    return [finding for finding in found if finding.level is PROBLEM]


async def test_no_schema(empty_database: str):
    database = await connect(empty_database)
    found = await examine(database, SCHEMA)
    await database.aclose()
    [finding] = [finding for finding in found if finding.level is PROBLEM]
    assert finding.check == "schema"
    assert finding.remedy == "run: graphile-worker --schema graphile_worker migrate"


async def test_notifications_that_do_not_come(gw_database, empty_database):
    """LISTEN on another database hears as much as LISTEN through a pooler in transaction mode."""
    database, direct = await asyncio.gather(connect(gw_database), connect(empty_database))
    limits = Thresholds(notification_within=0.2)
    found = await examine(database, SCHEMA, direct=direct, thresholds=limits)
    await asyncio.gather(database.aclose(), direct.aclose())
    [finding] = [finding for finding in found if finding.check == "notifications"]
    assert finding.level is PROBLEM
    assert "--direct-database-url" in finding.remedy


async def test_the_expected_indexes_are_those_of_the_migrations(gw_database):
    database = await connect(gw_database)
    made = await database.run(index_definitions(SCHEMA))
    await database.aclose()
    assert {(i.table, i.name, i.unique, i.definition) for i in made} == {
        (i.table, i.name, i.unique, i.definition) for i in EXPECTED
    }


async def test_hostile_metadata_hurts_nobody(look, postgres):
    for told in ('"text"', "[1]", '{"crons": "all", "tasks": {"a": 1}, "max_pg_conn": "many"}'):
        await postgres.execute(
            "select graphile_worker.worker_heartbeat($1::text, $2::text::json)",
            f"worker {told}",
            json.dumps(json.loads(told)),
        )
    assert faults(await look()) == {}
