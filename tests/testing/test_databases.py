from __future__ import annotations

import asyncpg
import pytest
from support.embedded_servers import query

from graphile_worker.database.schema import Schema
from graphile_worker.testing.databases import (
    VARIABLE,
    DatabaseServer,
    database_name,
    database_url,
    open_server,
)

DATABASES = "select array_agg(datname::text) from pg_database"


async def test_a_fresh_database_has_no_schema_of_ours(empty_database):
    assert await query(empty_database, "select to_regnamespace('graphile_worker')") is None


async def test_a_migrated_database_has_it_and_no_jobs(migrated_database):
    assert await query(migrated_database, "select count(*) from graphile_worker.jobs") == 0
    assert await query(migrated_database, "select id from graphile_worker.add_job('t')") == 1


async def test_databases_do_not_see_each_other(server):
    first, second = await server.create_migrated(), await server.create_migrated()
    await query(first, "select graphile_worker.add_job('t')")
    assert await query(second, "select count(*) from graphile_worker.jobs") == 0
    for url in (first, second):
        await server.drop(url)


async def test_the_schema_can_have_another_name(server):
    url = await server.create_migrated(Schema('my "jobs"'))
    assert await query(url, 'select count(*) from "my ""jobs""".jobs') == 0
    await server.drop(url)


async def test_a_database_goes_with_the_connections_it_has(server):
    url = await server.create()
    connection = await asyncpg.connect(url)
    await server.drop(url)
    await server.drop(url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)
    await connection.close()


async def test_a_server_that_is_there_is_used_and_left_as_it_was(server):
    others = DatabaseServer(await server.create())
    with open_server(environ={VARIABLE: others.url}) as named:
        assert named.url == others.url
        assert named.embedded is None
        url = await named.create_migrated()
        made = {database_name(url), *named._templates.values()}
        assert len(made) == 2
        assert made <= set(await query(server.url, DATABASES))
        await named.drop(url)
    assert not made & set(await query(server.url, DATABASES))
    await server.drop(others.url)


def test_the_processes_of_one_run_share_a_server():
    with open_server("a-run", {}) as one, open_server("a-run", {}) as other:
        assert one.url == other.url
    with open_server(environ={}) as own:
        assert own.embedded is not None
        assert own.url != one.url


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("postgresql://u:p@h:1/db?sslmode=require", "postgresql://u:p@h:1/x%2Fy?sslmode=require"),
        ("postgres://h", "postgres://h/x%2Fy"),
        ("postgresql+asyncpg://h1:1,h2:2/", "postgresql+asyncpg://h1:1,h2:2/x%2Fy"),
        ("postgresql:///?host=/tmp/s", "postgresql:///x%2Fy?host=/tmp/s"),
        ("host=/tmp/s dbname=db", "host=/tmp/s dbname=db dbname=x/y"),
    ],
)
def test_another_database_of_the_same_server_has_the_same_url_but_for_its_name(url, other):
    assert database_url(url, "x/y") == other


def test_the_name_is_read_back():
    for url in ("postgresql://h/db?a=b/c", "host=h"):
        assert database_name(database_url(url, "gw_test_1")) == "gw_test_1"
