"""Names and payloads that would like to be something else."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.admin_app import admin
from support.running import sql

from graphile_worker.admin import allow_all

V1 = "/api/v1"
NAMES = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "a'; drop table x; --",
    "%_\\%\\_*?#&=+ /../..//",
    "\u202egnp.exe \u200f\u2066x\u2069",
    "line\nbreak\ttab\rreturn\x1b[31m\x07\x7f\x85",
    "{{ 7 * 7 }} ${x} {% raw %}",
    "\U0001f469\u200d\U0001f680 \u0000".replace("\u0000", ""),
    "x" * 128,
    "count",
    "..",
]


async def test_names_are_names_wherever_they_stand(gw_database: str) -> None:
    async with admin(gw_database) as client:
        for name in NAMES:
            key = f"k-{name}"
            body = {"task": name, "queue": name, "key": key, "payload": {name: [name]}}
            added = await client.post(f"{V1}/jobs", json=body)
            assert added.status_code == 201, name
            job_id = added.json()["id"]
            for field, value in (("task", name), ("queue", name), ("key", key), ("q", name)):
                found = (await client.get(f"{V1}/jobs", params={field: value})).json()["rows"]
                assert job_id in {row["id"] for row in found}, (field, name)
                if field != "q":
                    assert {row["task"] for row in found} == {name}
            page = await client.get(f"{V1}/jobs", params={"payload": f"{name}"})
            assert page.status_code == 200
        async with sql(gw_database) as connection:
            await connection.execute(
                "update graphile_worker._private_jobs set last_error = key, attempts = 25"
            )
        failures = (await client.get(f"{V1}/failures")).json()["kinds"]
        for kind in failures:
            params = {"fingerprint": kind["fingerprint"], "task": kind["task"]}
            found = (await client.get(f"{V1}/jobs", params=params)).json()["rows"]
            assert found, kind


async def test_a_name_in_a_path_is_found(gw_database: str) -> None:
    async with admin(gw_database) as client:
        for name in NAMES:
            await client.post(f"{V1}/jobs", json={"task": name, "queue": name})
        client.timeout = 30  # type: ignore[assignment]
        await client.get(f"{V1}/tasks")
    async with admin(gw_database) as client:
        for name in NAMES:
            if name == "..":
                continue  # clients take it for a step
            for what in ("tasks", "queues"):
                answer = await client.get(f"{V1}/{what}/{quote(name, safe='')}")
                assert answer.status_code == 200, (what, name)


async def test_filters_of_any_text_are_answered(gw_database: str) -> None:
    async with admin(gw_database) as client:
        await client.post(f"{V1}/jobs", json={"task": "t"})
        texts: list[dict[str, str]] = []

        @settings(
            max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None
        )
        @given(
            st.dictionaries(
                st.sampled_from(
                    ["task", "queue", "key", "error", "payload", "worker", "flag", "q", "created"]
                ),
                st.text(max_size=40) | st.sampled_from(["a.b=1e999", 'a="', "a=1e5", "*", "a.b="]),
                min_size=1,
            )
        )
        def collect(params: dict[str, str]) -> None:
            texts.append(params)

        collect()
        for params in texts:
            answer = await client.get(f"{V1}/jobs", params=params)
            assert answer.status_code in {200, 400}, params


async def test_a_payload_of_10_mb_is_shown_cut_and_can_be_had_whole(gw_database: str) -> None:
    text = json.dumps({"password": "hunter2", "data": ["0123456789abcdef" * 64] * 10_000})
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('big', $1::json)", text)
        await connection.execute("select graphile_worker.add_job('small', '{}')")
    async with admin(gw_database) as client:
        client.timeout = 30  # type: ignore[assignment]
        listed = await client.get(f"{V1}/jobs", params={"fields": "payload"})
        assert len(listed.content) < 10_000
        job = await client.get(f"{V1}/jobs/1")
        shown = job.json()["payload"]
        assert (shown["is_cut"], shown["hidden"], len(shown["text"])) == (True, 1, 65_536)
        whole = await client.get(f"{V1}/jobs/1/payload")
        assert whole.json() == {**json.loads(text), "password": "[redacted]"}


ODD = [
    '{"a": 1, "a": 2}',
    '"\\ud800"',
    "12345678901234567890123456789.000",
    "1e400",
    '{"\\u0000": 1}',
    "[" * 3_000 + "]" * 3_000,
    '  {"a" :\n [ ] }  ',
]


@pytest.mark.parametrize("text", ODD)
async def test_odd_json_is_shown_as_it_is(gw_database: str, text: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('t', $1::json)", text)
    async with admin(gw_database) as client:
        assert (await client.get(f"{V1}/jobs/1/payload")).text == text
        for path in ("jobs/1", "jobs?fields=payload", "jobs?payload=a.b=1", "export.ndjson"):
            assert (await client.get(f"{V1}/{path}")).status_code == 200, path
        assert (await client.get("/api/jobs/1")).status_code == 200


async def test_nothing_of_ours_gets_into_the_ledger_of_migrations(gw_database: str) -> None:
    # Fault 16: numbers in it belong to Graphile Worker.
    async def ledger(connection: Any) -> list[tuple[Any, ...]]:
        rows = await connection.fetch("select * from graphile_worker.migrations order by id")
        return [tuple(row) for row in rows]

    async with sql(gw_database) as connection, admin(gw_database, auth=allow_all()) as client:
        before = await ledger(connection)
        await client.post(f"{V1}/jobs", json={"task": "t", "queue": "q"})
        for path in ("queues/q/pause", "tasks/t/pause", "cron/c/pause", "everything/pause"):
            assert (await client.post(f"{V1}/{path}")).status_code == 200
        await client.post(f"{V1}/maintenance/all")
        assert await ledger(connection) == before
