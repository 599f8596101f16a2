"""Every screen in Chromium: readable for all, nothing refused, nothing that sticks out."""

from __future__ import annotations

import pytest
from support.admin_site import fill, serving
from support.browser import DESKTOP, PHONE, axe, browser, opened
from support.running import sql

from graphile_worker.admin import Identity

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]

SCREENS = [
    "",
    "jobs",
    "jobs?state=failed",
    "jobs?state=running",
    "jobs?task=none",
    "jobs?state=odd",
    "jobs/1",
    "jobs/101",
    "jobs/4711",
    "failures",
    "tasks",
    "tasks/send_email",
    "queues",
    "queues/billing",
    "workers",
    "cron",
    "health",
    "audit",
    "settings",
    "jobs/new",
    "jobs/act?do=reschedule&id=1",
    "jobs/act?all=delete&state=failed",
    "workers/unlock?worker=worker-old",
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_every_screen_is_accessible_and_nothing_sticks_out(
    gw_database: str, theme: str, size: tuple[int, int]
) -> None:
    async with sql(gw_database) as connection:
        await fill(connection)
    problems: dict[str, object] = {}
    async with (
        serving(gw_database, crons="0 * * * * nightly") as (base, _door, _made),
        browser() as chromium,
        opened(chromium, size=size, theme=theme) as (page, complaints),
    ):
        for path in SCREENS:
            await page.goto(base + path)
            await page.wait_for_selector("html[data-script=on]")
            broken = await axe(page)
            wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            # A page that is not there is told so in the console too.
            odd = {"jobs?state=odd": "400", "jobs/4711": "404"}.get(path, "-")
            loud = [text for text in complaints.found if f"status of {odd}" not in text]
            if broken or wider > 0 or loud:
                problems[path] = (broken, wider, loud)
            complaints.found.clear()
    assert problems == {}


async def test_names_of_any_kind_do_not_break_the_page(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        for name in ("<img src=x onerror=alert(1)>", "\u202eright to left", "x" * 128, "%_'\""):
            await connection.execute(
                "select graphile_worker.add_job($1::text, json_build_object($1::text, repeat($1::text, 50)),"
                " queue_name := $1::text, job_key := repeat($1::text, 3))",
                name,
            )
    async with (
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium, size=PHONE) as (page, complaints),
    ):
        for path in ("", "jobs?cols=task,queue,key,payload", "tasks", "queues", "jobs/1", "jobs/3"):
            await page.goto(base + path)
            await page.wait_for_selector("html[data-script=on]")
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert complaints.found == []


async def test_the_phone_has_all_screens_behind_its_menu(gw_database: str) -> None:
    async with (
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium, size=PHONE) as (page, _complaints),
    ):
        await page.goto(base)
        assert not await page.locator("nav.side").is_visible()
        await page.locator(".menu summary").tap()
        await page.locator(".menu").get_by_role("link", name="Workers").tap()
        await page.wait_for_url("**/workers")
        assert await page.locator("h1").inner_text() == "Workers"


async def test_without_a_script_all_can_be_seen_and_a_job_retried(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await fill(connection)
        async with (
            serving(gw_database) as (base, _door, _made),
            browser() as chromium,
            opened(chromium, java_script_enabled=False) as (page, _complaints),
        ):
            await page.goto(base + "jobs?state=failed")
            await page.locator("[data-pick]").first.check()
            await page.get_by_role("button", name="Retry…").click()
            await page.get_by_role("button", name="Retry", exact=True).click()
            assert "1 job is due now" in await page.locator("main").inner_text()
            await page.goto(base + "settings")
            await page.get_by_label("Theme").last.select_option("dark")
            await page.get_by_role("button", name="Keep").click()
            assert await page.locator("html").get_attribute("data-theme") == "dark"
        assert (
            await connection.fetchval(
                "select count(*) from graphile_worker._private_jobs where attempts = max_attempts"
            )
            == 29
        )


@pytest.mark.parametrize("host", ["127.0.0.1", "jobs.test"], ids=["secure", "plain HTTP"])
@pytest.mark.parametrize("via", ["header", "basic"])
async def test_a_form_comes_from_here_over_plain_http_too(
    gw_database: str, host: str, via: str
) -> None:
    """There browsers say `Origin` only; they trust this machine without HTTPS, but no other name."""
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, door, _made),
        browser("--host-resolver-rules=MAP jobs.test 127.0.0.1") as chromium,
        opened(chromium) as (page, _complaints),
    ):
        door.identity = Identity.of("alice", "admin", via=via)
        await connection.execute(
            """select graphile_worker.add_job('t', '{"password": "hunter2"}')"""
        )
        await page.goto(base.replace("127.0.0.1", host) + "jobs/1")
        await page.get_by_role("button", name="Reveal").click()
        await page.get_by_text("hunter2").first.wait_for()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_columns_are_chosen_without_a_script_and_with_the_menu_open_nothing_sticks_out(
    gw_database: str, size: tuple[int, int]
) -> None:
    async with sql(gw_database) as connection:
        await fill(connection)
    async with serving(gw_database) as (base, _door, _made), browser() as chromium:
        async with opened(chromium, size=size) as (page, complaints):
            await page.goto(base + "jobs?state=failed")
            await page.wait_for_selector("html[data-script=on]")
            await page.get_by_text("Columns", exact=True).click()
            assert await axe(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert complaints.found == []
        async with opened(chromium, size=size, java_script_enabled=False) as (page, _complaints):
            await page.goto(base + "jobs?state=failed")
            await page.get_by_text("Columns", exact=True).click()
            await page.get_by_role("checkbox", name="Key").uncheck()
            await page.get_by_role("checkbox", name="Payload").check()
            await page.get_by_role("button", name="Keep").click()
            heads = await page.locator("thead th").all_text_contents()
            assert "Key" not in heads
            assert heads[-1] == "Payload"
