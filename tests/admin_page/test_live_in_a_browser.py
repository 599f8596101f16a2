"""Pages that stay up to date, and hold still when somebody is at work in them."""

from __future__ import annotations

import asyncio
import re

import asyncpg
import pytest
from playwright.async_api import Page, expect
from support.admin_site import fill, serving
from support.browser import browser, opened
from support.running import sql, until
from support.wsgi_server import wsgi_server

from graphile_worker.admin import allow_all, as_wsgi, create_admin_app

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]
expect.set_options(timeout=20_000)

MANY_THAT_FAILED = """
with task as (
  insert into graphile_worker._private_tasks (identifier) values ('t') returning id
)
insert into graphile_worker._private_jobs (task_id, attempts, last_error)
select task.id, 25, 'no' from task, generate_series(1, 70000);
analyze graphile_worker._private_jobs
"""


async def change(connection: asyncpg.Connection, statement: str) -> None:
    """Change something, and let PostgreSQL's counters tell of it at once."""
    await connection.execute(statement)
    await connection.execute("select pg_stat_force_next_flush()")


async def live(page: Page) -> None:
    """Wait until news come in."""
    await expect(page.locator("#live")).to_have_attribute("data-state", "live")


async def test_numbers_and_rows_follow_the_queue(gw_database: str) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium) as (page, complaints),
    ):
        await connection.execute(
            "select graphile_worker.add_job('t', run_at := now() + interval '1 day')"
        )
        await page.goto(base + "jobs")
        await live(page)
        await expect(page.locator("#job-1 .st")).to_have_text("◷Scheduled")
        await change(connection, "update graphile_worker._private_jobs set run_at = now()")
        await expect(page.locator("#job-1 .st")).to_have_text("●Ready")
        await change(connection, "select graphile_worker.add_job('t')")
        await expect(page.locator("#job-2")).to_be_visible()
        await change(connection, "delete from graphile_worker._private_jobs where id = 1")
        await expect(page.locator("#job-1")).to_have_count(0)
        assert complaints.found == []


async def test_pages_poll_where_a_stream_would_keep_a_thread_of_the_server(
    gw_database: str,
) -> None:
    app = as_wsgi(create_admin_app(gw_database, auth=allow_all()))
    with wsgi_server(app) as base:
        async with (
            sql(gw_database) as connection,
            browser() as chromium,
            opened(chromium) as (page, complaints),
        ):
            await page.goto(base + "/jobs")
            await expect(page.locator("#live")).to_have_attribute("data-state", "polling")
            await change(connection, "select graphile_worker.add_job('t')")
            await expect(page.locator("#job-1")).to_be_visible()
            assert complaints.found == []
    app.close()


async def test_a_list_rests_while_jobs_are_selected_and_says_how_much_it_missed(
    gw_database: str,
) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium) as (page, _complaints),
    ):
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 3)")
        await page.goto(base + "jobs")
        await live(page)
        await page.locator("#job-2 [data-pick]").check()
        await change(connection, "select graphile_worker.add_job('t') from generate_series(1, 14)")
        chip = page.get_by_role("button", name=re.compile(r"^\d+ changes · refresh$"))
        await expect(chip).to_be_visible()
        await expect(page.locator("tbody tr")).to_have_count(3)
        await expect(page.locator("#job-2 [data-pick]")).to_be_checked()
        await chip.click()
        await expect(page.locator("tbody tr")).to_have_count(17)
        await expect(chip).to_be_hidden()


@pytest.mark.parametrize("reason", ["dialog", "filter", "menu", "pause"])
async def test_a_list_rests_while_somebody_is_at_work(gw_database: str, reason: str) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium) as (page, _complaints),
    ):
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 3)")
        await page.goto(base + "jobs")
        await live(page)
        match reason:
            case "dialog":
                await page.get_by_role("link", name="Add a job…").click()
                await expect(page.locator("dialog")).to_be_visible()
            case "filter":
                await page.get_by_role("textbox", name="Task").fill("mai")
            case "menu":
                await page.get_by_text("All that match…").click()
            case _:
                await page.keyboard.press("p")
                await expect(page.locator("#pause")).to_have_text("Resume")
        await change(connection, "select graphile_worker.add_job('t')")
        await expect(page.locator('[data-refresh="list"]')).not_to_have_attribute("hidden", "")
        await expect(page.locator("tbody tr")).to_have_count(3)
        # Numbers go on, but for a pause, which is for all of it.
        rail = page.locator('nav.side a[data-key="j"] .n')
        if reason != "pause":
            await expect(rail).to_have_text("4", timeout=25_000)
        match reason:
            case "dialog":
                await page.keyboard.press("Escape")
                await expect(page.locator("dialog")).to_be_hidden()
            case "filter":
                assert await page.get_by_role("textbox", name="Task").input_value() == "mai"
            case "menu":
                await page.locator("h1").click()
            case _:
                await page.keyboard.press("p")
                await expect(page.locator("tbody tr")).to_have_count(4)


async def test_focus_and_caret_stay_through_20_updates(gw_database: str) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium) as (page, _complaints),
    ):
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 30)")
        await page.goto(base + "jobs")
        await live(page)
        await page.locator("#job-15 td.first a").focus()
        await page.evaluate(
            """() => {
              window.updates = 0;
              window.lost = 0;
              const list = document.querySelector('[data-region=list]');
              new MutationObserver(() => {
                window.updates += 1;
                if (document.activeElement.textContent !== '15') window.lost += 1;
              }).observe(list, {childList: true, subtree: true});
            }"""
        )
        for number in range(20):
            await change(connection, "select graphile_worker.add_job('t')")
            await page.keyboard.press("r")
            await expect(page.locator(f"#job-{31 + number}")).to_have_count(1)
        assert await page.evaluate("window.updates") >= 20
        assert await page.evaluate("window.lost") == 0
        assert await page.evaluate("document.activeElement.textContent") == "15"


async def test_a_tab_that_is_hidden_follows_nothing(gw_database: str) -> None:
    async with (
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium) as (page, _complaints),
    ):
        await page.goto(base)
        await live(page)
        hide = """(hidden) => {
          Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
        await page.evaluate(hide, True)

        async def streams() -> int:
            text = await (await page.request.get(base + "health")).text()
            found = re.search(r"(\d+) follow live", text)
            assert found
            return int(found[1])

        async def nobody_follows() -> bool:
            return await streams() == 0

        async def one_follows() -> bool:
            return await streams() == 1

        await until(nobody_follows)
        await page.evaluate(hide, False)
        await until(one_follows)


async def test_signed_out_in_mid_stream_stops_everything(gw_database: str) -> None:
    async with (
        serving(gw_database) as (base, door, _made),
        browser() as chromium,
        opened(chromium) as (page, _complaints),
    ):
        await page.goto(base + "jobs")
        await live(page)
        door.is_open = False
        await expect(page.locator("#denied")).to_be_visible()
        await expect(page.locator("#live")).to_have_attribute("data-state", "denied")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        door.is_open = True
        await page.keyboard.press("r")
        await asyncio.sleep(0)
        # Nothing is asked again by itself: the clock ticks five times first.
        await page.evaluate("new Promise((done) => setTimeout(done, 5200))")
        assert asked == []
        await page.locator("#denied").get_by_role("link", name="Load the page again").click()
        await live(page)


async def test_a_stream_that_cannot_be_had_is_replaced_by_polling(gw_database: str) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium) as (page, _complaints),
    ):
        await page.route("**/events", lambda route: route.abort())
        await page.route(
            "**/live", lambda route: route.continue_(headers={**route.request.headers})
        )
        await page.goto(base + "jobs")
        await connection.execute("select graphile_worker.add_job('t')")
        await expect(page.locator("#job-1")).to_be_visible(timeout=20_000)


async def test_retrying_all_jobs_shows_progress_and_can_be_cancelled(gw_database: str) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, made),
        browser() as chromium,
        opened(chromium) as (page, complaints),
    ):
        await connection.execute(MANY_THAT_FAILED)
        await page.goto(base + "jobs?state=failed")
        # Each chunk but the first has a job that this transaction holds, and waits for it for a
        # second: it goes on for longer than anything here waits.
        async with connection.transaction():
            await connection.execute(
                "select from graphile_worker._private_jobs where id % 1000 = 1 and id < 69000"
                " for update"
            )
            await page.get_by_text("All that match…").click()
            await page.get_by_role("button", name="Retry all…").click()
            dialog = page.locator("dialog")
            await expect(dialog).to_contain_text("Retry 70,000 jobs?")
            await dialog.get_by_role("button", name="Retry 70,000").click()
            assert "operations" not in page.url  # the number has to be typed first
            await dialog.get_by_label("Type 70000 to confirm").fill("70000")
            await dialog.get_by_role("button", name="Retry 70,000").click()
            await page.wait_for_url("**/operations/*")
            await expect(page.locator("main")).to_contain_text(
                re.compile(r"\b[1-9]\d*,000 of 70,000 looked at")
            )
            await page.get_by_role("button", name="Cancel").click()
            await expect(page.locator("h1")).to_contain_text("Cancelled")
        retried = await connection.fetchval(
            "select count(*) from graphile_worker._private_jobs where attempts = 0"
        )
        assert made.parts.changing is not None
        (operation,) = made.parts.changing.operations.all()
        assert 0 < retried == operation.changed < 70_000
        assert operation.requested == operation.changed + operation.skipped
        assert complaints.found == []


async def test_two_tabs_see_each_others_changes(gw_database: str) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium) as (one, _a),
        opened(chromium) as (other, _b),
    ):
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 2)")
        for page in (one, other):
            await page.goto(base + "jobs")
            await live(page)
        await one.locator("#job-1 [data-pick]").check()
        await one.get_by_role("button", name="Delete…").click()
        await one.locator("dialog").get_by_role("button", name="Delete").click()
        await expect(one.locator("#toasts")).to_contain_text("1 job was deleted.")
        await expect(one.locator("#job-1")).to_have_count(0)
        await expect(other.locator("#job-1")).to_have_count(0)
        await expect(other.locator("#job-2")).to_have_count(1)


async def test_what_was_left_alone_stays_said_and_a_dialog_gives_its_focus_back(
    gw_database: str,
) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium) as (page, complaints),
    ):
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 2)")
        await connection.execute(
            "update graphile_worker._private_jobs set locked_at = now(), locked_by = 'w-1' where id = 2"
        )
        await page.goto(base + "jobs")
        for job in (1, 2):
            await page.locator(f"#job-{job} [data-pick]").check()
        button = page.get_by_role("button", name="Reschedule…")
        await button.click()
        dialog = page.locator("dialog")
        await expect(dialog.get_by_label("Run at")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(button).to_be_focused()
        await button.click()
        await dialog.get_by_label("Priority").fill("high")
        await dialog.get_by_role("button", name="Reschedule").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("priority must be a whole number")
        await dialog.get_by_label("Priority").fill("7")
        await dialog.get_by_role("button", name="Reschedule").click()
        toast = page.locator("#toasts")
        await expect(toast).to_contain_text("1 job was rescheduled.")
        await expect(toast).to_contain_text("2: running on w-1")
        await page.get_by_role("button", name="Dismiss").click()
        await expect(toast).to_be_empty()
        assert [text for text in complaints.found if "400" not in text] == []


@pytest.mark.parametrize("host", ["127.0.0.1", "jobs.test"], ids=["secure", "plain HTTP"])
async def test_the_ids_of_a_selection_are_copied(gw_database: str, host: str) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, _made),
        # A browser trusts this machine without HTTPS, but no other name.
        browser("--host-resolver-rules=MAP jobs.test 127.0.0.1") as chromium,
        opened(chromium) as (page, complaints),
    ):
        await connection.execute("select graphile_worker.add_job('t') from generate_series(1, 3)")
        await page.goto(base.replace("127.0.0.1", host) + "jobs")
        await page.wait_for_selector("html[data-script=on]")
        has_clipboard = await page.evaluate("navigator.clipboard !== undefined")
        assert has_clipboard == (host == "127.0.0.1")
        button = page.get_by_role("button", name="Copy ids")
        await expect(button).to_be_hidden()
        for job in (1, 3):
            await page.locator(f"#job-{job} [data-pick]").check()
        await button.click()
        await expect(page.get_by_role("button", name="Copied")).to_be_focused()
        await expect(button).to_be_visible()
        await page.evaluate("document.body.append(document.createElement('textarea'))")
        await page.locator("body > textarea").focus()
        await page.keyboard.press("Control+V")
        await expect(page.locator("body > textarea")).to_have_value("3\n1")
        # That one is a header which counts for nothing without HTTPS.
        assert [text for text in complaints.found if "Opener-Policy" not in text] == []


async def test_keys_lead_everywhere_and_never_while_typing(gw_database: str) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, _made),
        browser() as chromium,
        opened(chromium) as (page, _complaints),
    ):
        await fill(connection)
        await page.goto(base)
        await page.wait_for_selector("html[data-script=on]")
        for key, title in (("j", "Jobs"), ("w", "Workers"), ("q", "Queues"), ("o", "Overview")):
            await page.keyboard.press("g")
            await page.keyboard.press(key)
            await expect(page.locator("h1")).to_have_text(title)
            await page.wait_for_selector("html[data-script=on]")
        await page.keyboard.press("g")
        await page.keyboard.press("j")
        await expect(page.locator("h1")).to_have_text("Jobs")
        await page.wait_for_selector("html[data-script=on]")
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        await page.keyboard.press("x")
        await expect(page.locator("[data-count]")).to_have_text("1 selected")
        await page.keyboard.press("?")
        await expect(page.locator("dialog")).to_contain_text("Keyboard")
        await page.keyboard.press("Escape")
        await page.keyboard.press("t")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await page.keyboard.press("/")
        await page.keyboard.type("gj?tp")
        await expect(page.locator("#jump")).to_have_value("gj?tp")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await page.reload()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
