"""Every screen, with jobs and without."""

from __future__ import annotations

import re

import pytest
from support.admin_site import browsing, fill
from support.running import sql

from graphile_worker.admin.pages.words import UNKNOWN

SCREENS = {
    "/": "Overview",
    "/jobs": "Jobs",
    "/jobs?state=failed": "Failed jobs",
    "/failures": "Failures",
    "/tasks": "Tasks",
    "/tasks/send_email": "Task send_email",
    "/queues": "Queues",
    "/queues/billing": "Queue billing",
    "/workers": "Workers",
    "/cron": "Cron",
    "/health": "Health",
    "/audit": "Audit",
    "/settings": "Settings",
    "/jobs/1": "Job 1",
    "/jobs/new": "Add a job",
    "/jobs/act?do=retry&id=1": "Retry 1 job?",
}


async def test_every_screen_has_its_title_and_nothing_inline(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await fill(connection)
    async with browsing(gw_database) as client:
        for path, title in SCREENS.items():
            page = await client.get(path)
            assert page.status_code == 200, path
            assert f"<title>{title} · graphile_worker · production</title>" in page.text, path
            assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", page.text), path
            assert re.findall(r"<script[^>]*>", page.text) == re.findall(
                r'<script src="[^"]+" (?:defer|type="module")>', page.text
            ), path
            assert "http://" not in page.text.replace("http://www.w3.org", ""), path
            assert not re.search(r">(None|nan|inf)<", page.text), path


EMPTY = {
    "/": ("Nothing needs attention", "No jobs wait", "No failures"),
    "/jobs": ("No jobs in this schema yet", "graphile-worker add"),
    "/jobs?state=failed": ("No failed jobs",),
    "/jobs?task=none": ("No job matches these filters", "clear filters"),
    "/jobs?state=failed&task=none": ("No failed job matches these filters",),
    "/failures": ("No failures",),
    "/tasks": ("No tasks yet",),
    "/queues": ("0 named queues",),
    "/workers": ("No worker seen", "graphile-worker run"),
    "/cron": ("No recurring jobs",),
    "/health": ("no worker sends heartbeats", "it answers"),
    "/audit": ("Nothing was done yet",),
}


async def test_what_is_empty_says_why(gw_database: str) -> None:
    async with browsing(gw_database) as client:
        for path, sentences in EMPTY.items():
            page = await client.get(path)
            assert page.status_code == 200, path
            for sentence in sentences:
                assert sentence in page.text, (path, sentence)


MISSING = {
    "/jobs/4711": "Graphile Worker deletes a job when it succeeds",
    "/jobs/99999999999999999999": "is not in the table",
    "/jobs/abc": "is not in the table",
    "/tasks/none": "is known in this schema",
    "/queues/none": "is known in this schema",
    "/operations/none": "no such operation",
}


@pytest.mark.parametrize("path", MISSING)
async def test_what_is_not_there_says_so_with_404(gw_database: str, path: str) -> None:
    async with browsing(gw_database) as client:
        page = await client.get(path)
        assert page.status_code == 404
        assert MISSING[path] in page.text


async def test_attention_says_in_words_what_is_wrong_and_leads_there(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await fill(connection)
    async with browsing(gw_database) as client:
        page = (await client.get("/")).text
        for what, rest, url in (
            (
                "25 ready jobs for render_pdf",
                ": no live worker handles this task",
                "./jobs?state=unclaimed&amp;task=render_pdf",
            ),
            ("Worker worker-old", " is silent and still holds 1 job", "./workers"),
            ("1 job stuck", ": held by workers that are gone", "./jobs?state=stuck"),
            ("Queue search", " is paused, 1 job waits", "./queues/search"),
            ("The oldest ready job is 42 m late", "", "./jobs?state=waiting"),
        ):
            assert f'<a href="{url}">{what}</a>{rest}' in page, what


async def test_numbers_of_unknown_things_are_dashes_never_zero(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await fill(connection)
        await connection.execute(
            "insert into graphile_worker._private_workers (id, last_heartbeat_at, started_at)"
            " values ('silent-on-tasks', now(), now())"
        )
    async with browsing(gw_database) as client:
        page = (await client.get("/tasks")).text
        assert "which workers run a task is not known" in page
        assert re.search(f'data-label="Workers">{UNKNOWN}<', page)


async def test_a_database_that_is_away_is_a_page_and_not_a_crash(server) -> None:
    url = await server.create()  # without the schema
    async with browsing(url) as client:
        for path in ("/", "/jobs", "/queues", "/health", "/jobs/1"):
            page = await client.get(path)
            assert page.status_code in {200, 503}, path
            assert "The database cannot be read" in page.text, path
    await server.drop(url)
