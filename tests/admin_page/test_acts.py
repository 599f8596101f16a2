"""What buttons do: ask first, say what was done, and what was left alone."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from urllib.parse import urljoin

import httpx
import pytest
from support.admin_site import Door, browsing, fill
from support.running import sql, until

from graphile_worker.admin import Identity
from graphile_worker.admin.pages.buttons import JOB_ACTS
from graphile_worker.admin.service.filters import FIELDS

MARK = {"_from": "page"}


def form_of(page: str) -> tuple[str, list[tuple[str, str]]]:
    """Where the question's form goes, and what its fields hold."""
    form = re.search(
        r'<form class="pb" method="post" action="([^"]*)"(.*?)</form>', page, re.DOTALL
    )
    assert form, page
    fields = re.findall(r'<input[^>]*name="([^"]*)" value="([^"]*)"', form[2])
    return unescape(form[1]), [(name, unescape(value)) for name, value in fields]


async def answer(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    """Ask a question and send its form, with some fields filled in."""
    question = await client.get(path)
    assert question.status_code == 200, question.text
    action, given = form_of(question.text)
    given = [(name, value) for name, value in given if name not in fields]
    data = httpx.QueryParams([*given, *fields.items()])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = urljoin(path.partition("?")[0], action)
    return await client.post(url, content=str(data), headers=headers)


async def jobs(connection, columns: str = "id") -> list:
    rows = await connection.fetch(
        f"select {columns} from graphile_worker._private_jobs order by id"
    )
    return [tuple(row) for row in rows]


async def test_retry_gives_a_failed_job_its_attempts_back(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t', max_attempts := 3)")
        await connection.execute(
            "update graphile_worker._private_jobs set attempts = 3, run_at = now() + interval '1 day'"
        )
        done = await answer(client, "/jobs/act?do=retry&id=1")
        assert "1 job is due now, with all attempts again." in done.text
        assert await jobs(connection, "attempts, run_at <= now()") == [(0, True)]


async def test_retry_can_give_one_more_attempt(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t', max_attempts := 3)")
        await connection.execute("update graphile_worker._private_jobs set attempts = 3")
        await answer(client, "/jobs/act?do=retry&id=1", attempts_left="one")
        assert await jobs(connection, "attempts, max_attempts") == [(3, 4)]


async def test_run_now_makes_a_failed_job_run_too(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t')")
        await connection.execute("update graphile_worker._private_jobs set attempts = 25")
        await answer(client, "/jobs/act?do=run_now&id=1")
        assert await jobs(connection, "is_available") == [(True,)]


QUESTIONS = [
    "/jobs/act?do=retry&id=1",
    "/jobs/act?do=delete&id=1",
    "/jobs/act?do=fail&id=1",
    "/jobs/act?all=delete&state=failed",
    "/jobs/new?like=1",
    "/jobs/remove?key=order:99121",
    "/workers/unlock?worker=worker-old",
    "/workers/sweep",
    "/health/clean?task=delete-permanently-failed-jobs",
    "/health/clean?task=gc-job-queues",
]


async def test_no_question_changes_anything(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await fill(connection)
        everything = "md5(array_agg(j::text order by id)::text)"
        before = await connection.fetchval(
            f"select {everything} from graphile_worker._private_jobs j"
        )
        for path in QUESTIONS:
            page = await client.get(path)
            assert page.status_code == 200, path
            assert 'method="post"' in page.text, path
            assert ">Cancel</a>" in page.text, path
        after = await connection.fetchval(
            f"select {everything} from graphile_worker._private_jobs j"
        )
        assert after == before
        assert (
            await connection.fetchval("select count(*) from graphile_worker._private_workers") == 2
        )


async def test_jobs_that_are_left_alone_are_named_with_the_reason(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 3)")
        await connection.execute(
            "update graphile_worker._private_jobs set locked_at = now(), locked_by = 'w-1' where id = 2"
        )
        question = (await client.get("/jobs/act?do=delete&id=1&id=2&id=9")).text
        assert "1 job of them would be skipped" in question
        assert "1 job of them are gone" in question or "1 job of them is gone" in question
        done = (await answer(client, "/jobs/act?do=delete&id=1&id=2&id=9")).text
        assert "1 job was deleted." in done
        assert 'data-report="bad"' in done
        assert re.search(r">2</a>: running on w-1", done)
        assert re.search(r">9</a>: is not in the table any more", done)
        assert await jobs(connection) == [(2,), (3,)]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"priority": "high"}, "priority must be a whole number, got &#39;high&#39;"),
        ({"priority": "99999"}, "priority must be"),
        ({"set_attempts": "-1"}, "attempts must be"),
        ({"set_attempts": "few"}, "attempts must be a whole number, got &#39;few&#39;"),
        ({"run_at": "tomorrow"}, "run_at must be a time, or a span"),
        ({}, "run_at, priority"),
    ],
)
async def test_what_is_typed_and_not_understood_is_asked_again(
    gw_database: str, fields: dict[str, str], problem: str
) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t', priority := 5)")
        again = await answer(client, "/jobs/act?do=reschedule&id=1", **fields)
        assert again.status_code == 400
        assert problem in again.text
        for name, value in fields.items():
            assert f'name="{name}" value="{value}"' in again.text
        assert await jobs(connection, "priority, attempts") == [(5, 0)]


async def test_rescheduling_understands_spans_and_times(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t')")
        await answer(client, "/jobs/act?do=reschedule&id=1", run_at="+10m", priority="-3")
        assert await jobs(
            connection, "priority, run_at - now() between '9 minutes' and '10 minutes'"
        ) == [(-3, True)]
        await answer(client, "/jobs/act?do=reschedule&id=1", run_at="2031-01-31 08:00")
        assert await jobs(connection, "run_at = '2031-01-31 08:00+00'") == [(True,)]


async def test_everything_that_matches_becomes_an_operation_after_its_number_was_typed(
    gw_database: str,
) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 150)")
        await connection.execute(
            "update graphile_worker._private_jobs set attempts = max_attempts where id <= 120"
        )
        path = "/jobs/act?all=retry&state=failed"
        refused = await answer(client, path)
        assert refused.status_code == 400
        assert "type 120 to confirm" in refused.text
        await connection.execute("select graphile_worker.add_job('t', job_key := 'new')")
        started = await answer(client, path, typed="120")
        assert started.status_code == 303
        url = urljoin("/jobs/act", started.headers["location"])

        async def is_done() -> bool:
            return "✓" in (await client.get(url)).text

        await until(is_done)
        page = (await client.get(url)).text
        assert "120 of 120 looked at · 120 changed · 0 skipped · 0 gone" in page
        assert await jobs(connection, "distinct on (id) attempts") == [(0,)] * 151


async def test_all_that_were_shown_are_rescheduled_whatever_is_typed(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 4)")
        await connection.execute(
            "update graphile_worker._private_jobs set attempts = case when id <= 2 then 4 else 1 end"
        )
        path = "/jobs/act?all=reschedule&state=all&attempts=4"
        started = await answer(client, path, set_attempts="1", priority="9")
        assert started.status_code == 303, started.text
        url = urljoin("/jobs/act", started.headers["location"])

        async def is_done() -> bool:
            return "✓" in (await client.get(url)).text

        await until(is_done)
        assert await jobs(connection, "attempts, priority") == [(1, 9), (1, 9), (1, 0), (1, 0)]


@pytest.mark.parametrize("act", [act.name for act in JOB_ACTS])
@pytest.mark.parametrize("which", ["do={}&id=1", "all={}"])
async def test_no_field_of_a_question_about_jobs_is_taken_for_a_filter(
    gw_database: str, act: str, which: str
) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 101)")
        page = (await client.get(f"/jobs/act?{which.format(act)}")).text
        form = re.search(r'<form class="pb" method="post".*?</form>', page, re.DOTALL)
        assert form, page
        names = set(re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]*)"', form[0]))
        assert names
        assert not names & set(FIELDS)


async def test_a_selection_is_exported_as_lines(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute(
            "select graphile_worker.add_job('t', json_build_object('n', n)) from generate_series(1, 5) n"
        )
        lines = (await client.get("/jobs/export?id=2&id=4")).text.splitlines()
        some = [(job["id"], job["payload"]) for job in map(json.loads, lines)]
        assert some == [(2, {"n": 2}), (4, {"n": 4})]
        whole = (await client.get("/jobs/export")).text.splitlines()
        assert len(whole) == 5
        assert json.loads(whole[0])["payload"] == {"n": 5}


async def test_a_selection_is_exported_as_csv(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute(
            """select graphile_worker.add_job('=t', '{"pin": 4711}') from generate_series(1, 3)"""
        )
        page = (await client.get("/jobs")).text
        name, value, path = re.search(
            r'<button name="(\w+)" value="(\w+)" formaction="([^"]*)">Export CSV', page
        ).groups()
        answer = await client.get(
            urljoin("/jobs", path), params={"state": "all", "id": ["1", "3"], name: value}
        )
        assert answer.headers["content-type"].startswith("text/csv")
        assert 'filename="jobs.csv"' in answer.headers["content-disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [(row["id"], row["task"]) for row in rows] == [("1", "'=t"), ("3", "'=t")]
        assert {row["payload"] for row in rows} == {'{"pin": "[redacted]"}'}


async def test_a_copy_has_the_payload_with_its_secrets_and_no_key(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute(
            """select graphile_worker.add_job('t', '{"token": "abc", "n": 1.10}', 'q', priority := 4,"""
            " max_attempts := 7, job_key := 'k', flags := array['gpu'])"
        )
        question = (await client.get("/jobs/new?like=1")).text
        assert "abc" not in question
        done = await answer(client, "/jobs/new?like=1")
        assert "Job 2 was added." in done.text
        rows = await jobs(
            connection, "payload::text, priority, max_attempts, key, flags::text, job_queue_id"
        )
        assert rows[1] == (rows[0][0], 4, 7, None, '{"gpu": true}', rows[0][5])


async def test_a_job_is_added_as_it_was_typed(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await answer(
            client,
            "/jobs/new",
            task="mail",
            payload='{"n": 12345678901234567890}',
            queue="q",
            run_at="+1h",
            priority="2",
            key="k",
            flags="a, b",
        )
        assert await jobs(connection, "payload::text, priority, key, run_at > now()") == [
            ('{"n": 12345678901234567890}', 2, "k", True)
        ]
        again = await answer(client, "/jobs/new", task="mail", payload="{broken")
        assert again.status_code == 400
        assert "payload must be JSON" in again.text
        assert "{broken" in again.text


async def test_a_viewer_sees_no_buttons_and_is_told_what_is_missing(gw_database: str) -> None:
    viewer = Identity("vera", "", frozenset({"view"}))
    async with sql(gw_database) as connection, browsing(gw_database, auth=Door(viewer)) as client:
        await fill(connection)
        for path in (
            "/jobs?state=failed",
            "/jobs/1",
            "/queues",
            "/workers",
            "/health",
            "/failures",
        ):
            page = (await client.get(path)).text
            assert not re.search(r">(Retry|Delete|Pause|Force unlock|Sweep)[^<]*…<", page), path
        assert "You may not see payloads" in (await client.get("/jobs/1")).text
        refused = await client.post("/jobs/act", data={**MARK, "do": "delete", "id": "1"})
        assert refused.status_code == 400
        assert "it needs the permission delete" in refused.text


async def test_what_was_done_and_which_secrets_were_seen_is_in_the_audit(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("""select graphile_worker.add_job('t', '{"token": "x"}')""")
        await client.post("/jobs/1", data=MARK)
        await answer(client, "/jobs/act?do=fail&id=1", reason="<b>because</b>")
        page = (await client.get("/audit")).text
        rows = re.findall(r'data-label="Action">([^<]*)<', page)
        assert rows == ["fail", "reveal"]
        assert "ids 1" in page
        assert 'data-label="Changed">1<' in page
        assert "<b>because" not in page


async def test_queues_tasks_and_all_are_paused_and_resumed(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await connection.execute("select graphile_worker.add_job('mail', queue_name := 'q')")
        done = await answer(client, "/pause?kind=queue&name=q")
        assert "Queue q is paused." in done.text
        owner = "select locked_by from graphile_worker._private_job_queues"
        assert (await connection.fetchval(owner)).startswith("paused:")
        assert "Paused" in (await client.get("/queues/q")).text
        await answer(client, "/resume?kind=queue&name=q")
        assert await connection.fetchval(owner) is None
        question = (await client.get("/pause?kind=task&name=mail")).text
        assert "Python workers leave task mail alone" in question
        await answer(client, "/pause?kind=task&name=mail")
        assert "Paused" in (await client.get("/tasks")).text
        assert ">Resume…<" in (await client.get("/tasks/mail")).text
        done = await answer(client, "/resume?kind=task&name=mail")
        assert "Task mail goes on." in done.text
        refused = await client.get("/pause?kind=odd&name=x")
        assert refused.status_code == 400


async def test_who_may_not_see_payloads_does_not_find_them_out(gw_database: str) -> None:
    viewer = Identity("vera", "", frozenset({"view", "export"}))
    async with sql(gw_database) as connection, browsing(gw_database, auth=Door(viewer)) as client:
        await connection.execute("""select graphile_worker.add_job('t', '{"pin": 4711}')""")
        for query in ("payload=pin%3D4711", "q=4711", "payload=4711"):
            for path in ("/jobs", "/jobs/export"):
                page = await client.get(f"{path}?{query}")
                assert page.status_code == 400, (path, query)
                assert "needs the permission view_payload" in page.text
        assert '"payload":null' in (await client.get("/jobs/export")).text
        assert "4711" not in (await client.get("/jobs/export?as=csv")).text
        assert (await client.get("/jobs/1/payload")).status_code == 403
    operator = Identity.of("otto", "operator")
    async with browsing(gw_database, auth=Door(operator)) as client:
        assert "reveal_payload" in (await client.get("/jobs?payload=pin%3D4711")).text
        assert (await client.post("/jobs/1", data=MARK)).status_code == 403


async def test_workers_are_unlocked_and_swept(gw_database: str) -> None:
    async with sql(gw_database) as connection, browsing(gw_database) as client:
        await fill(connection)
        question = (await client.get("/workers/unlock?worker=worker-old")).text
        assert "It holds 1 job" in question
        assert "run twice" in question
        done = await answer(client, "/workers/unlock?worker=worker-old")
        assert "What worker-old held is free." in done.text
        swept = await answer(client, "/workers/sweep")
        assert "of 1 dead worker went back" in swept.text
