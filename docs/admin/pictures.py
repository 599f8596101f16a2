"""Makes the pictures of the admin page that the documentation shows.

    PYTHONPATH=src:tests python docs/admin/pictures.py

Needs Chromium, playwright and what the tests need.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
from playwright.async_api import Page
from support.admin_site import fill, serving
from support.browser import browser, opened

from graphile_worker.testing.databases import DatabaseServer, open_server

FOLDER = Path(__file__).parent
SIZE = (1200, 820)
SCREENS = {
    "jobs": ("jobs?state=failed", "light"),
    "job": ("jobs/1", "light"),
    "failures": ("failures", "light"),
    "tasks": ("tasks", "light"),
    "task": ("tasks/send_email", "light"),
    "queues": ("queues", "light"),
    "queue": ("queues/billing", "light"),
    "workers": ("workers", "dark"),
    "cron": ("cron", "light"),
    "health": ("health", "light"),
    "audit": ("audit", "light"),
    "question": ("jobs/act?all=delete&state=failed", "light"),
}


async def main(server: DatabaseServer) -> None:
    url = await server.create_migrated()
    connection = await asyncpg.connect(url)
    await fill(connection)
    async with serving(url, environment="staging") as (base, _door, _app), browser() as chromium:
        for name, (path, theme) in SCREENS.items():
            async with opened(chromium, size=SIZE, theme=theme) as (page, _complaints):
                await page.goto(base + path)
                await page.wait_for_selector("html[data-script=on]")
                if name == "jobs":
                    for place in (0, 1):
                        await page.locator("[data-pick]").nth(place).check()
                await page.screenshot(path=FOLDER / f"{name}.png")
        async with opened(chromium, size=(1200, 1000), theme="light") as (page, _complaints):
            await work(connection, page, base)
            await page.screenshot(path=FOLDER / "overview.png")
        async with opened(chromium, size=(390, 844), theme="dark") as (page, _complaints):
            await page.goto(base)
            await page.wait_for_selector("html[data-script=on]")
            await page.screenshot(path=FOLDER / "phone.png")
    await connection.close()
    await server.drop(url)


async def work(connection: asyncpg.Connection, page: Page, base: str) -> None:
    """Let some minutes of a busy queue go by, as its counters would tell of them."""
    await page.goto(base + "?range=15m")
    for second in range(24):
        jobs = 30 + second % 7 * 6
        await connection.execute(
            "select graphile_worker.add_job('send_email') from generate_series(1, $1)", jobs
        )
        await connection.execute(
            "delete from graphile_worker._private_jobs where id in (select id from"
            " graphile_worker._private_jobs where payload::text = '{}' order by id limit $1)",
            jobs - 3,
        )
        await page.wait_for_timeout(1_000)


if __name__ == "__main__":
    with open_server() as server:
        asyncio.run(main(server))
