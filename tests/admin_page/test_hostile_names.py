"""Names and payloads that would like to be more than text."""

from __future__ import annotations

import json
from html import escape
from urllib.parse import quote, quote_plus, urljoin

from support.admin_site import browsing
from support.running import sql

NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "../../etc/passwd",
    "a/b?c=d#e&f=%2F",
    "%_\\",
    "\u202e\u05d0\u05d1 right to left",
    "tab\tand\nline",
    "..",
    "x" * 128,
]


async def test_hostile_names_are_shown_as_they_are_and_their_links_lead_to_them(
    gw_database: str,
) -> None:
    async with sql(gw_database) as connection:
        for name in NAMES:
            await connection.execute(
                "select graphile_worker.add_job($1, $2::json, queue_name := $1, job_key := $1,"
                " flags := array[$1])",
                name,
                json.dumps({name: name, "deep": [name]}),
            )
        await connection.execute(
            "update graphile_worker._private_jobs as j set attempts = max_attempts,"
            " last_error = t.identifier from graphile_worker._private_tasks as t"
            " where t.id = j.task_id and j.id % 2 = 0"
        )
        await connection.execute(
            "update graphile_worker._private_jobs set locked_at = now(), locked_by = key"
            " where id % 3 = 1"
        )
    async with browsing(gw_database) as client:
        screens = [
            "/",
            "/jobs?cols=task,queue,key,worker,error,payload",
            "/failures",
            "/tasks",
            "/queues",
            "/workers",
        ]
        for path in [*screens, *(f"/jobs/{job}" for job in range(1, len(NAMES) + 1))]:
            page = await client.get(path)
            assert page.status_code == 200, path
            assert "<script>alert" not in page.text, path
            assert "<img src=x" not in page.text, path
            assert "' onmouseover='alert" not in page.text, path
        for name in NAMES:
            for kind in ("tasks", "queues"):
                listed = (await client.get(f"/{kind}")).text
                # What is a step up for a browser, or breaks a line, stands behind the `?`.
                is_step = name != ".." and "/" not in name and name.isprintable()
                link = (
                    f"./{kind}/{quote(name, safe='')}"
                    if is_step
                    else f"./{kind}?name={quote_plus(name)}"
                )
                assert f'href="{link}"' in listed, (kind, name)
                page = await client.get(urljoin(f"/{kind}", link))
                assert page.status_code == 200, (kind, name)
                assert (
                    escape(name).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page.text
                )


async def test_a_payload_is_shown_to_the_last_digit_and_its_secrets_are_not(
    gw_database: str,
) -> None:
    stored = '{"big": 12345678901234567890123, "b": 1, "a": 1.10, "password": "hunter2"}'
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('t', $1::json)", stored)
    async with browsing(gw_database) as client:
        page = (await client.get("/jobs/1")).text
        assert "12345678901234567890123" in page
        assert page.index("&#34;b&#34;") < page.index("&#34;a&#34;")
        assert "1.10" in page
        assert "hunter2" not in page
        assert "1 value redacted" in page
        revealed = (await client.post("/jobs/1", data={"_from": "page"})).text
        assert "hunter2" in revealed
        for form in ("json", "sql", "python"):
            assert "hunter2" not in (await client.get(f"/jobs/1/as/{form}")).text


async def test_a_big_payload_does_not_make_a_big_page(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('t', json_build_object('small', 1, 'big', repeat('x', 3000000)))"
        )
        await connection.execute(
            "select graphile_worker.add_job('t', (select json_agg(json_build_object('n', n)) from generate_series(1, 3000) n))"
        )
    async with browsing(gw_database) as client:
        page = await client.get("/jobs/1")
        assert len(page.content) < 120_000
        assert "This is the beginning; download it to see all" in page.text
        assert len((await client.get("/jobs/1/payload")).content) > 3_000_000
        batch = (await client.get("/jobs/2")).text
        assert "the first 50" in batch
