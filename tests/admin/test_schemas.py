"""Several schemas under one application."""

from __future__ import annotations

import re
import secrets
from html import unescape
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from support.admin_app import admin, asked
from support.running import sql, until

from graphile_worker import ConfigurationError, WorkerUtils
from graphile_worker.admin import allow_all, create_admin_app
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.migrations.runner import migrate

BOTH = {"more_schemas": ["billing (old)", "graphile_worker"]}
OLD = "/schemas/billing%20%28old%29"


@pytest.fixture
async def two_schemas(gw_database: str) -> str:
    """One job in `graphile_worker`, two in `billing (old)`."""
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.add_raw_job("here", {})
    database = await connect(gw_database, max_connections=1)
    await migrate(database, Schema("billing (old)"))
    await database.aclose()
    async with WorkerUtils.connect(gw_database, schema="billing (old)") as utils:
        await utils.add_raw_job("there", {})
        await utils.add_raw_job("there/too", {})
    return gw_database


def switch(page: httpx.Response) -> dict[str, str]:
    """Where the switch of a page leads: schema → path and query."""
    menu = page.text.partition('<details class="more schemas')[2].partition("</details>")[0]
    links = re.findall(r'href="([^"]*)"[^>]*>([^<]*)</a>', menu)
    found = {unescape(name): urljoin(str(page.url), unescape(link)) for link, name in links}
    return {name: url.removeprefix("http://admin.test") for name, url in found.items()}


async def test_each_schema_has_a_site_of_its_own(two_schemas: str) -> None:
    async with admin(two_schemas, **BOTH) as client:
        assert [row["task"] for row in await rows(client, "")] == ["here"]
        assert [row["task"] for row in await rows(client, OLD)] == ["there/too", "there"]
        assert (await client.get(f"{OLD}/api/v1/status")).json()["schema"] == "billing (old)"
        assert (await client.get(f"{OLD}/healthz")).text == "ok\n"
        assert (await client.get("/schemas/none/api/v1/status")).status_code == 404
        page = await client.get(f"{OLD}/jobs")
        assert "there/too" in page.text
        assert "<title>Jobs · billing (old)</title>" in page.text
        slash = await client.get(OLD)
        assert slash.next_request is not None
        assert slash.next_request.url.raw_path.decode() == f"{OLD}/"
        added = await client.post(f"{OLD}/api/v1/jobs", json={"task": "t"})
        assert added.status_code == 201
        assert len(await rows(client, "")) == 1
        assert len(await rows(client, OLD)) == 3


async def rows(client: httpx.AsyncClient, path: str) -> list[Any]:
    found: list[Any] = (await client.get(f"{path}/api/v1/jobs")).json()["rows"]
    return found


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/", "/"),
        ("/jobs?state=failed&task=a%26b", "/jobs?state=failed&task=a%26b"),
        ("/jobs?size=50&after=0", "/jobs?size=50"),
        ("/jobs/1", "/jobs"),
        ("/tasks/there", "/tasks/there"),
        ("/queues?name=a%2Fb", "/queues?name=a%2Fb"),
        ("/failures", "/failures"),
        ("/settings", "/settings"),
        ("/operations/none", "/"),
    ],
)
async def test_the_switch_keeps_the_place_where_that_makes_sense(
    two_schemas: str, path: str, there: str
) -> None:
    async with admin(two_schemas, **BOTH) as client:
        here = switch(await client.get(path))
        assert here == {"graphile_worker": there, "billing (old)": OLD + there}
        assert switch(await client.get(OLD + path)) == here


async def test_the_switch_holds_under_a_prefix_and_says_where_one_is(two_schemas: str) -> None:
    app = create_admin_app(two_schemas, auth=allow_all(), **BOTH)
    async with asked(Starlette(routes=[Mount("/ops/jobs", app)])) as client:
        page = await client.get(f"/ops/jobs{OLD}/tasks")
        assert switch(page) == {
            "graphile_worker": "/ops/jobs/tasks",
            "billing (old)": f"/ops/jobs{OLD}/tasks",
        }
        assert 'aria-current="true">billing (old)</a>' in page.text
        assert 'data-home="./../../"' in page.text
        saved = await client.get(f"/ops/jobs{OLD}/settings?save=1&theme=dark")
        assert "Path=/ops/jobs/;" in saved.headers["set-cookie"] + ";"
        assert 'data-theme="dark"' in (await client.get("/ops/jobs/")).text
    await app.aclose()


async def test_columns_that_were_chosen_in_one_schema_are_those_of_all(two_schemas: str) -> None:
    async with admin(two_schemas, **BOTH) as client:
        kept = await client.get(f"{OLD}/jobs?state=all&keep=columns&col=task&col=priority")
        assert "Path=/;" in kept.headers["set-cookie"]
        for path in ("", OLD):
            page = await client.get(f"{path}/jobs")
            assert ">Priority</th>" in page.text
            assert ">Queue</th>" not in page.text


async def test_each_schema_is_checked_for_itself(two_schemas: str) -> None:
    async with sql(two_schemas) as connection:
        await connection.execute('drop index "billing (old)".jobs_main_index')
    async with admin(two_schemas, **BOTH) as client:
        assert await level(client, "", "indexes") == "ok"
        assert await level(client, OLD, "indexes") == "problem"


async def test_who_only_reads_needs_no_other_right_in_any_schema(two_schemas: str) -> None:
    name = f"looker_{secrets.token_hex(8)}"
    url = f"{two_schemas}{'&' if '?' in two_schemas else '?'}options=-c%20role%3D{name}"
    async with sql(two_schemas) as connection:
        await connection.execute(f"create role {name} bypassrls")
        for schema in ("graphile_worker", '"billing (old)"'):
            await connection.execute(f"grant usage on schema {schema} to {name}")
            await connection.execute(f"grant select on all tables in schema {schema} to {name}")
        try:
            async with admin(url, read_only=True, **BOTH) as client:
                assert await level(client, "", "rights") == "ok"
                assert await level(client, OLD, "rights") == "ok"
        finally:
            await connection.execute(f"drop owned by {name}; drop role {name}")


async def level(client: httpx.AsyncClient, path: str, check: str) -> str:
    """What a check of a schema came to."""
    checks = (await client.get(f"{path}/api/v1/health")).json()["checks"]
    found: str = next(one["level"] for one in checks if one["check"] == check)
    return found


async def test_pages_of_each_schema_hear_of_its_jobs(two_schemas: str) -> None:
    app = create_admin_app(two_schemas, auth=allow_all(), **BOTH)
    first, other = (site.pages.site.announcements for site in app.sites)
    async with asked(app) as client, sql(two_schemas) as connection:
        assert (await client.get(f"{OLD}/")).status_code == 200
        with other.watched():

            async def hears() -> bool:
                await connection.execute("select \"billing (old)\".add_job('more')")
                return other.turn > 0

            await until(hears)
            assert not first.is_on
    await app.aclose()
    await until(lambda: none_left(two_schemas))


async def test_one_schema_has_no_switch(gw_database: str) -> None:
    async with admin(gw_database) as client:
        assert switch(await client.get("/")) == {}


async def test_all_schemas_share_the_connections(two_schemas: str) -> None:
    app = create_admin_app(two_schemas, auth=allow_all(), max_pg_conn=1, **BOTH)
    async with asked(app) as client:
        for path in ("", OLD):
            assert (await client.get(f"{path}/")).status_code == 200
        assert await connections(two_schemas) == 1
    await app.aclose()
    await until(lambda: none_left(two_schemas))


async def none_left(url: str) -> bool:
    return await connections(url) == 0


async def connections(url: str) -> int:
    async with sql(url) as connection:
        count: int = await connection.fetchval(
            "select count(*) from pg_stat_activity where application_name like 'graphile-worker%'"
            " and datname = current_database()"
        )
    return count


async def test_a_schema_that_is_not_there_takes_no_other_with_it(gw_database: str) -> None:
    async with admin(gw_database, more_schemas=["none"]) as client:
        assert (await client.get("/schemas/none/api/v1/jobs")).status_code == 503
        page = await client.get("/schemas/none/jobs")
        assert page.status_code == 503
        assert switch(page)["graphile_worker"] == "/jobs"
        assert (await client.get("/jobs")).status_code == 200


async def test_what_was_done_says_in_which_schema(two_schemas: str) -> None:
    told: list[str] = []

    async def on_action(entry: Any) -> None:
        told.append(entry.schema)

    async with admin(two_schemas, on_action=on_action, keep_audit=True, **BOTH) as client:
        for path in ("", OLD):
            await client.post(f"{path}/api/v1/jobs", json={"task": "t"})
        assert told == ["graphile_worker", "billing (old)"]
        entries = (await client.get(f"{OLD}/api/v1/audit")).json()["entries"]
        assert [entry["schema"] for entry in entries] == ["billing (old)"]


@pytest.mark.parametrize("names", [["a/b"], ["."], [".."], ["ok", ""]])
def test_a_schema_whose_name_cannot_stand_in_an_address_is_refused(names: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        create_admin_app("postgres://nowhere", auth=allow_all(), more_schemas=names)


def test_names_are_a_list() -> None:
    with pytest.raises(ConfigurationError, match="must be a list of names"):
        create_admin_app("postgres://nowhere", auth=allow_all(), more_schemas="billing")
