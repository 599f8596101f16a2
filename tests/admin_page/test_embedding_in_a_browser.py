"""What a host adds to the pages, in Chromium: links, panels, a switch between schemas."""

from __future__ import annotations

from typing import Any

import pytest
from markupsafe import Markup
from playwright.async_api import expect
from support.admin_site import fill, serving
from support.browser import DESKTOP, PHONE, axe, browser, opened
from support.running import sql

from graphile_worker.admin import Panel, ShownJob
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.migrations.runner import migrate

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

LONG = "a_schema_of_some_department_with_a_long_name"


def panel(job: ShownJob) -> Panel:
    return Panel(
        "Order", Markup("<p><a href='https://shop.example/{}'>In the shop</a></p>").format(job.id)
    )


def text(job: ShownJob) -> Panel:
    return Panel("Notes", "a line\n" + "long " * 200 + "x" * 400)


def broken(job: ShownJob) -> Panel:
    raise ValueError


ADDED: Any = {
    "job_panels": [panel, text, broken],
    "nav_links": [("Runbook", "https://wiki.example/"), ("A link with a long name " * 2, "/x")],
    "trace_url": "https://traces.example/{trace_id}",
    "more_schemas": ["billing", LONG],
}


async def prepared(url: str) -> None:
    database = await connect(url, max_connections=1)
    for name in ("billing", LONG):
        await migrate(database, Schema(name))
    await database.aclose()
    async with sql(url) as connection:
        await fill(connection)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_it_is_accessible_and_nothing_sticks_out(
    gw_database: str, theme: str, size: tuple[int, int]
) -> None:
    await prepared(gw_database)
    problems: dict[str, object] = {}
    async with (
        serving(gw_database, **ADDED) as (base, _door, _made),
        browser() as chromium,
        opened(chromium, size=size, theme=theme) as (page, complaints),
    ):
        for path in ("jobs", "jobs/1", f"schemas/{LONG}/", "schemas/billing/jobs?state=failed"):
            await page.goto(base + path)
            await page.wait_for_selector("html[data-script=on]")
            await page.locator(
                ".schemas > summary" if size == DESKTOP else ".menu > summary"
            ).click()
            found = await axe(page)
            wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if found or wider > 0 or complaints.found:
                problems[path] = (found, wider, list(complaints.found))
    assert problems == {}


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_the_switch_leads_to_the_same_place_and_settings_hold_there(
    gw_database: str, size: tuple[int, int]
) -> None:
    await prepared(gw_database)
    menu = ".schemas" if size == DESKTOP else ".menu"
    async with (
        serving(gw_database, **ADDED) as (base, _door, _made),
        browser() as chromium,
        opened(chromium, size=size) as (page, complaints),
    ):
        await page.goto(base + "jobs?state=failed&task=charge_card")
        await expect(page.locator("#live")).to_have_attribute("data-state", "live")
        await page.keyboard.press("t")
        await page.locator(f"{menu} > summary").click()
        await page.locator(menu).get_by_role("link", name="billing", exact=True).click()
        await page.wait_for_url("**/schemas/billing/jobs?state=failed&task=charge_card")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await expect(page.locator("#live")).to_have_attribute("data-state", "live")
        await page.keyboard.press("t")
        await page.locator(f"{menu} > summary").click()
        await page.locator(menu).get_by_role("link", name="graphile_worker", exact=True).click()
        await page.wait_for_url(base + "jobs?state=failed&task=charge_card")
        await expect(page.locator("html")).to_have_attribute("data-theme", "light")
        assert complaints.found == []
