from __future__ import annotations

from importlib.resources import files

import asyncpg
import pytest
from support.older_schemas import LEDGER, make_at
from support.schema_facts import ledger, schema_facts

from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.migrations import catalog
from graphile_worker.migrations.runner import migrate

FRESH = Schema("fresh")
OLDER = Schema("older")


def test_each_revision_has_one_file_and_no_file_is_left_over() -> None:
    names = [
        file.name for file in files("graphile_worker.migrations").joinpath("upgrade").iterdir()
    ]
    assert sorted(names) == [f"{number:06}.sql" for number in range(1, catalog.LATEST + 1)]


def test_the_breaking_revisions_are_those_of_the_other_implementations() -> None:
    assert {number for number, breaking in LEDGER if breaking} == catalog.BREAKING


@pytest.mark.parametrize("revision", range(1, catalog.LATEST))
async def test_upgrading_ends_in_the_catalogue_of_a_fresh_schema(
    revision: int, database: Database, postgres: asyncpg.Connection
) -> None:
    await migrate(database, FRESH)
    await make_at(postgres, OLDER, revision)
    await migrate(database, OLDER)
    assert await schema_facts(postgres, OLDER) == await schema_facts(postgres, FRESH)
    assert await ledger(postgres, OLDER) == list(LEDGER) == await ledger(postgres, FRESH)


async def test_the_baseline_alone_is_revision_18(postgres: asyncpg.Connection) -> None:
    await make_at(postgres, OLDER, catalog.BASELINE)
    await postgres.execute(FRESH.fill(catalog.install(schema_exists=False).text))
    await postgres.execute(FRESH.fill(catalog.baseline().text))
    assert await schema_facts(postgres, OLDER) == await schema_facts(postgres, FRESH)


async def test_objects_have_the_names_that_history_gave_them(
    database: Database, postgres: asyncpg.Connection
) -> None:
    await migrate(database, FRESH)
    rows = await postgres.fetch(
        "select relkind::text, relname from pg_class where relnamespace = 'fresh'::regnamespace"
    )
    names: dict[str, set[str]] = {}
    for kind, name in rows:
        names.setdefault(kind, set()).add(name)
    assert names == {
        "r": {
            "migrations",
            "_private_jobs",
            "_private_job_queues",
            "_private_tasks",
            "_private_known_crontabs",
            "_private_workers",
        },
        "v": {"jobs"},
        "c": {"job_spec"},
        "S": {"jobs_id_seq1", "job_queues_id_seq", "tasks_id_seq"},
        "i": {
            "migrations_pkey",
            "jobs_pkey1",
            "jobs_key_key1",
            "jobs_main_index",
            "jobs_no_queue_index",
            "graphile_worker_py_queue_heads",
            "job_queues_pkey1",
            "job_queues_queue_name_key",
            "tasks_pkey",
            "tasks_identifier_key",
            "known_crontabs_pkey",
            "_private_workers_pkey",
            "_private_workers_last_heartbeat_at_idx",
        },
    }


async def test_the_claim_reads_the_partial_index(
    database: Database, postgres: asyncpg.Connection
) -> None:
    await migrate(database, FRESH)
    await postgres.execute("set enable_seqscan = off; set enable_sort = off")
    plan = await postgres.fetch(
        "explain select id from fresh._private_jobs where is_available = true "
        "order by priority, run_at limit 1"
    )
    assert "jobs_main_index" in str(plan)
