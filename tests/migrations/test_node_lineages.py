"""Schemas that real versions of Node's worker made, taken over."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from support.node_worker import node_worker
from support.older_schemas import LEDGER
from support.schema_facts import bodies, ledger, schema_facts

from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.migrations.runner import migrate

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]

VERSIONS = {
    "0.1.0": 1,
    "0.4.0": 3,
    "0.6.0": 4,
    "0.8.1": 5,
    "0.10.0": 8,
    "0.12.2": 9,
    "0.13.0": 10,
    "0.14.0-rc.0": 14,
    "0.15.1": 14,
    "0.16.6": 18,
    "0.17.3": 19,
    "0.18.0": 20,
}
"""Those that start on a Node of today, and the revision each makes."""


@pytest.fixture
async def extensions(postgres: asyncpg.Connection) -> AsyncIterator[None]:
    """The extensions that versions before 0.13 ask for, or what only looks like them."""
    folder = Path(tempfile.mkdtemp())
    available = "select exists (select from pg_available_extensions where name = 'pgcrypto')"
    if not await postgres.fetchval(available):
        if postgres.get_server_version().major < 18:
            pytest.skip("this server has no pgcrypto, and cannot be shown one")
        _make_extensions(folder)
        name = await postgres.fetchval("select quote_ident(current_database())")
        await postgres.execute(
            f"alter database {name} set extension_control_path = '{folder}:$system'"
        )
    yield
    shutil.rmtree(folder)


def _make_extensions(folder: Path) -> None:
    (folder / "extension").mkdir()
    for name, text in (
        (
            "pgcrypto",
            (
                "create function gen_random_uuid() returns uuid language sql "
                "as 'select pg_catalog.gen_random_uuid()';\n"
            ),
        ),
        ("uuid-ossp", "-- asked for by the first versions, and not used\n"),
    ):
        control = folder / "extension" / f"{name}.control"
        control.write_text("default_version = '1.0'\nrelocatable = true\n")
        (folder / "extension" / f"{name}--1.0.sql").write_text(text)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_schema_that_node_made_is_taken_over_with_its_jobs(
    version: str,
    extensions: None,
    empty_database: str,
    database: Database,
    schema: Schema,
    postgres: asyncpg.Connection,
) -> None:
    revision = VERSIONS[version]
    node_worker(version).run_once(empty_database)
    await postgres.execute(
        "select graphile_worker.add_job('greet', '{\"name\": \"world\"}', queue_name := 'q', "
        "run_at := '2100-01-01Z', max_attempts := 7)"
    )
    before = await bodies(postgres, schema)

    result = await migrate(database, schema)
    assert (result.before, result.after) == (revision, 20)
    expected = [(number, breaking) for number, breaking in LEDGER]
    if revision >= 19:
        expected[18] = (19, True)
    assert await ledger(postgres, schema) == expected

    await migrate(database, Schema("fresh"))
    # The texts of functions and of the view are ours where our steps made them anew.
    kept = frozenset() if revision < 16 else frozenset({"bodies", "views"})
    theirs = await schema_facts(postgres, schema, without=kept)
    assert theirs == await schema_facts(postgres, Schema("fresh"), without=kept)
    after = await bodies(postgres, schema)
    if revision >= 19:
        assert {name: after[name] for name in before} == before
    else:
        assert "GWNOR" in after["add_job"]

    job = await postgres.fetchrow(
        "select v.*, payload from graphile_worker.jobs v join graphile_worker._private_jobs "
        "using (id)"
    )
    assert (job["task_identifier"], job["queue_name"], job["max_attempts"]) == ("greet", "q", 7)
    assert (job["payload"], job["run_at"].year, job["attempts"]) == ('{"name": "world"}', 2100, 0)
    await _functions_work(postgres)
    assert (await migrate(database, schema)).applied == ()


async def _functions_work(postgres: asyncpg.Connection) -> None:
    async def one(call: str) -> asyncpg.Record:
        return await postgres.fetchrow(f"select * from graphile_worker.{call}")

    first = await one("add_job('t', '[1]', queue_name := 'q', job_key := 'k')")
    again = await one("add_job('t', '[2]', job_key := 'k', job_key_mode := 'preserve_run_at')")
    assert (again["id"], again["payload"]) == (first["id"], "[1, 2]")
    assert (await one("add_job('t', job_key := 'k', job_key_mode := 'unsafe_dedupe')"))[
        "revision"
    ] == 2
    ids = f"array[{first['id']}::bigint]"
    assert (await one(f"reschedule_jobs({ids}, attempts := 9)"))["attempts"] == 9
    assert (await one(f"permanently_fail_jobs({ids})"))["attempts"] == 25
    assert (await one("remove_job('k')"))["id"] == first["id"]
    other = await one("add_job('t')")
    assert (await one(f"complete_jobs(array[{other['id']}::bigint])"))["id"] == other["id"]
    await one("force_unlock_workers(array['w'])")
    await one("worker_heartbeat('w', '{}')")
    assert (await one("recover_dead_worker_jobs(array['w'])"))[0] == 0


@pytest.mark.parametrize("version", ["0.16.6", "0.17.3", "0.18.0"])
async def test_node_works_on_a_schema_that_we_made(
    version: str,
    empty_database: str,
    database: Database,
    schema: Schema,
    postgres: asyncpg.Connection,
) -> None:
    await migrate(database, schema)
    facts = await schema_facts(postgres, schema)
    for key in ("null", "'k'"):
        await postgres.execute(
            f"select graphile_worker.add_job('greet', queue_name := 'q', job_key := {key})"
        )
    node_worker(version).run_once(empty_database)
    assert await postgres.fetchval("select count(*) from graphile_worker._private_jobs") == 0
    assert await schema_facts(postgres, schema) == facts
    assert await ledger(postgres, schema) == list(LEDGER)
