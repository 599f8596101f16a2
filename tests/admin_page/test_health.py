"""The health screen: the checks of `doctor`, and what they cost."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import asynccontextmanager

import asyncpg
import pytest
from support.admin_site import browsing, fill
from support.running import sql, until

from graphile_worker.admin.pages.health import findings_within, worst_first
from graphile_worker.admin.service.samples import Sampled
from graphile_worker.database.schema import Schema
from graphile_worker.doctor.examine import examine
from graphile_worker.doctor.finding import Finding, Level, ok, problem, warning
from graphile_worker.drivers.connect import connect


def row(page: str, check: str) -> str:
    found = re.search(rf'<tr id="check-{check}">.*?</tr>', page, re.DOTALL)
    assert found is not None, check
    return found[0]


async def test_the_page_and_the_api_say_what_the_command_says(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await fill(connection)
    database = await connect(gw_database)
    told = await examine(database, Schema("graphile_worker"))
    await database.aclose()
    async with browsing(gw_database) as client:
        page = (await client.get("/health")).text
        assert re.findall(r'<tr id="check-(\w+)"', page) == [
            finding.check for finding in worst_first(told)
        ]
        said = (await client.get("/api/v1/health")).json()["checks"]
        assert [(one["check"], one["level"]) for one in said] == [
            (finding.check, finding.level.value) for finding in told
        ]
    words = {Level.OK: "In order", Level.WARNING: "Look", Level.PROBLEM: "Wrong"}
    for finding in told:
        assert f"</span>{words[finding.level]}<" in row(page, finding.check)
    assert "worker-old (1 job, for 5 h" in row(page, "locks")
    assert "graphile-worker sweep-stale-workers" in row(page, "locks")
    assert "A job that a dead worker holds runs again only once" in row(page, "locks")


async def test_a_missing_schema_is_a_finding_with_its_remedy(empty_database: str) -> None:
    async with browsing(empty_database) as client:
        page = (await client.get("/health")).text
        assert "graphile-worker --schema graphile_worker migrate" in row(page, "schema")
        assert "The database cannot be read" in page


async def test_viewers_share_the_checks_until_somebody_asks_again(gw_database: str) -> None:
    async with browsing(gw_database) as client, sql(gw_database) as connection:
        assert "no worker sends heartbeats<" in (await client.get("/health")).text
        await connection.execute("select graphile_worker.add_job('t')")
        await client.get("/health")
        page = (await client.get("/health?again=yes")).text  # too soon
        assert "no worker sends heartbeats<" in page
        assert 'href="./health?again=yes"' in page

        async def is_told() -> bool:
            await client.get("/health?again=yes", headers={"X-Region": "checks"})
            return "and jobs are due" in (await client.get("/health?again=yes")).text

        await until(is_told)


@asynccontextmanager
async def role(connection: asyncpg.Connection, name: str):
    """A role that may read, and see all rows."""
    await connection.execute(
        f"create role {name} bypassrls; grant usage on schema graphile_worker to {name};"
        f"grant select on all tables in schema graphile_worker to {name}"
    )
    try:
        yield
    finally:
        await connection.execute(f"drop owned by {name}; drop role {name}")


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_role_that_only_reads_is_in_order_where_nobody_changes_anything(
    gw_database: str, read_only: bool
) -> None:
    name = f"looker_{secrets.token_hex(8)}"
    async with sql(gw_database) as connection, role(connection, name):
        url = f"{gw_database}{'&' if '?' in gw_database else '?'}options=-c%20role%3D{name}"
        async with browsing(url, read_only=read_only) as client:
            page = (await client.get("/health")).text
            assert ("</span>Wrong<" in row(page, "rights")) != read_only
            if read_only:
                assert "may read all there is" in row(page, "rights")
                assert "could not be checked" not in page
                assert "index" in row(page, "indexes")


async def test_a_page_does_not_wait_for_checks_that_take_long() -> None:
    may_go_on = asyncio.Event()
    made = [ok("database", "it answers")]

    async def take() -> list[Finding]:
        await may_go_on.wait()
        return made

    sampled = Sampled(take, every=60.0)
    assert await findings_within(sampled, again=False, patience=0.01) is None
    may_go_on.set()
    sample = await findings_within(sampled, again=False)
    assert sample is not None
    assert sample.value is made
    may_go_on.clear()
    assert await findings_within(sampled, again=True, patience=0.01) is sample
    await sampled.aclose()


def test_what_needs_a_look_stands_first_in_the_order_in_which_to_mend_it() -> None:
    found = [
        ok("a", ""),
        warning("b", "", ""),
        problem("c", "", ""),
        ok("d", ""),
        problem("e", "", ""),
    ]
    assert [finding.check for finding in worst_first(found)] == ["c", "e", "b", "a", "d"]
