"""Acting on more jobs than one transaction should hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.admin_app import admin
from support.running import sql, until

V1 = "/api/v1"
TABLE = "graphile_worker._private_jobs"


async def add(url: str, count: int = 1) -> None:
    async with sql(url) as connection:
        await connection.execute(
            f"select graphile_worker.add_job('t') from generate_series(1, {count})"
        )


async def change(url: str, what: str, where: str = "true") -> None:
    async with sql(url) as connection:
        await connection.execute(f"update {TABLE} set {what} where {where}")


@asynccontextmanager
async def held(url: str, where: str) -> AsyncIterator[None]:
    """Another transaction has these jobs meanwhile."""
    async with sql(url) as connection, connection.transaction():
        await connection.execute(f"select from {TABLE} where {where} for update")
        yield


async def test_a_bulk_operation_from_preview_to_report(gw_database: str) -> None:
    await add(gw_database, 2_500)
    await change(gw_database, "attempts = 25, last_error = 'boom'")
    await change(gw_database, "locked_at = now(), locked_by = 'w'", "id = 7")
    async with admin(gw_database) as client:
        wanted = {"action": "retry", "filter": {"state": "failed"}}
        preview = (await client.post(f"{V1}/jobs/preview", json=wanted)).json()
        assert (preview["jobs"], preview["newest_id"], len(preview["sample"])) == (2499, 2500, 3)
        await add(gw_database)
        await change(gw_database, "attempts = 25", "id = 2501")
        started = await client.post(
            f"{V1}/operations", json={**wanted, "newest_id": preview["newest_id"]}
        )
        assert started.status_code == 202
        operation = await ended(client, started.json()["id"])
        assert (operation["state"], operation["changed"]) == ("done", 2499)
        left = (await client.get(f"{V1}/jobs", params={"state": "failed"})).json()["rows"]
        assert [row["id"] for row in left] == [2501]


async def ended(client: Any, operation_id: str) -> dict[str, Any]:
    async def it_has() -> Any:
        found = (await client.get(f"{V1}/operations/{operation_id}")).json()
        return found if found["state"] != "running" else None

    found: dict[str, Any] = await until(it_has)
    return found


async def test_a_cancelled_operation_ends_after_its_chunk_and_says_what_it_did(
    gw_database: str,
) -> None:
    await add(gw_database, 4_000)
    async with admin(gw_database) as client:
        started = await client.post(
            f"{V1}/operations", json={"action": "fail", "filter": {}, "reason": "enough"}
        )
        path = f"{V1}/operations/{started.json()['id']}"

        async def has_begun() -> bool:
            return bool((await client.get(path)).json()["changed"])

        await until(has_begun)
        operation = (await client.delete(path)).json()
        async with sql(gw_database) as connection:
            failed = await connection.fetchval(
                f"select count(*) from {TABLE} where last_error = 'enough'"
            )
    assert operation["state"] == "cancelled"
    assert operation["changed"] == failed < 4_000
    assert failed % 1_000 == 0


@pytest.mark.parametrize(
    "body",
    [
        {"action": "retry"},
        {"action": "retry", "one_more": True},
        {"action": "run_now"},
        {"action": "fail"},
        {"action": "delete"},
    ],
)
async def test_jobs_that_another_transaction_holds_are_skipped_and_the_others_done(
    gw_database: str, body: dict[str, Any]
) -> None:
    await add(gw_database, 1_003)
    async with admin(gw_database) as client, held(gw_database, "id in (2, 3, 900)"):
        started = await client.post(f"{V1}/operations", json={**body, "filter": {}})
        operation = await ended(client, started.json()["id"])
    assert (operation["state"], operation["error"]) == ("done", None)
    assert (operation["requested"], operation["changed"]) == (1_003, 1_000)
    assert [(one["id"], one["reason"]) for one in operation["skipped_jobs"]] == [
        (900, "another transaction held it"),
        (3, "another transaction held it"),
        (2, "another transaction held it"),
    ]


async def test_a_few_jobs_are_told_apart_as_well(gw_database: str) -> None:
    await add(gw_database, 4)
    await change(gw_database, "locked_at = now(), locked_by = 'w'", "id = 1")
    async with admin(gw_database) as client, held(gw_database, "id = 2"):
        done = await client.post(
            f"{V1}/jobs/actions", json={"action": "delete", "ids": [1, 2, 3, 4, 5]}
        )
        report = done.json()
    assert report["requested"] == 5
    assert sorted(report["changed"]) == [3, 4]
    assert report["missing"] == [5]
    assert {one["id"]: one["reason"] for one in report["skipped"]} == {
        1: "running on w",
        2: "another transaction held it",
    }


async def test_a_table_that_is_locked_ends_an_operation_with_an_error(gw_database: str) -> None:
    await add(gw_database, 1)
    async with sql(gw_database) as connection, admin(gw_database) as client:
        await client.get(f"{V1}/status")
        async with connection.transaction():
            # Reading goes on.
            await connection.execute(f"lock table {TABLE} in exclusive mode")
            body = {"action": "fail", "filter": {}}
            started = await client.post(f"{V1}/operations", json=body)
            operation = await ended(client, started.json()["id"])
    assert (operation["state"], operation["changed"]) == ("failed", 0)
    assert "lock timeout" in operation["error"]
