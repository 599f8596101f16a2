"""The list of jobs: what can be found, and how one gets on."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.admin_site import browsing
from support.running import sql

from graphile_worker.admin import Identity
from graphile_worker.admin.pages.column_choice import ColumnChoice
from graphile_worker.admin.pages.job_columns import COLUMNS


def ids(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<tr id="job-(\d+)"', page)]


def link(page: str, text: str) -> str | None:
    found = re.search(rf'<a [^>]*href="([^"]*)"[^>]*>{text}</a>', page)
    return found and unescape(found[1])


async def test_failed_jobs_are_seen_behind_700_scheduled_ones(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('later', run_at := now() + interval '1 day')"
            " from generate_series(1, 700)"
        )
        await connection.execute(
            "select graphile_worker.add_job('broken') from generate_series(1, 20)"
        )
        await connection.execute(
            "update graphile_worker._private_jobs set attempts = max_attempts where id > 700"
        )
    async with browsing(gw_database) as client:
        page = (await client.get("/jobs?state=failed")).text
        assert ids(page) == list(range(720, 700, -1))
        assert re.search(r'state=failed"[^>]*>Failed<span class="n">20<', page)
        everything = (await client.get("/jobs")).text
        assert ids(everything)[:20] == list(range(720, 700, -1))


async def test_pages_lead_through_all_jobs_once_each(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('t', priority := (n % 3)::integer,"
            " run_at := now() + (n % 7 - 10) * interval '1 minute')"
            " from generate_series(1, 130) n"
        )
    async with browsing(gw_database) as client:
        for state in ("all", "ready"):
            url: str | None = f"/jobs?state={state}&size=50"
            seen: list[int] = []
            pages = 0
            while url is not None:
                page = (await client.get(url)).text
                seen += ids(page)
                pages += 1
                next_page = link(page, "Next page")
                url = next_page and urljoin("/jobs", next_page)
            assert pages == 3
            assert sorted(seen) == list(range(1, 131)), state


async def test_filters_stand_in_the_address_and_in_their_fields(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('mail', json_build_object('user', json_build_object('id', n)),"
            " job_key := 'user_' || n) from generate_series(1, 30) n"
        )
    async with browsing(gw_database) as client:
        found = (await client.get("/jobs", params={"payload": "user.id=17"})).text
        assert ids(found) == [17]
        assert 'name="payload" value="user.id=17"' in found
        assert "1 match of 30 searched" in found
        assert ids((await client.get("/jobs", params={"key": "user_1*"})).text) == [
            *range(19, 9, -1),
            1,
        ]
        # `_` and `%` are letters, not patterns.
        assert ids((await client.get("/jobs", params={"key": "user%*"})).text) == []
        tabs = (await client.get("/jobs", params={"task": "mail", "state": "ready"})).text
        assert link(tabs, r'Failed(?:<span class="n">0</span>)?') == "./jobs?state=failed&task=mail"


async def test_a_filter_that_is_not_understood_says_so(gw_database: str) -> None:
    async with browsing(gw_database) as client:
        for query, sentence in (
            ("state=odd", "state must be one of"),
            ("attempts=many", "attempts must be one of"),
            ("created=yesterday", "created must be one of"),
            ("after=nonsense", "after must be"),
        ):
            page = await client.get(f"/jobs?{query}")
            assert page.status_code == 400, query
            assert sentence in page.text, query


async def test_a_search_that_ended_early_says_how_far_it_looked(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('t', json_build_object('n', n)) from generate_series(1, 60) n"
        )
    async with browsing(gw_database) as client:
        page = (await client.get("/jobs", params={"payload": "n=3", "scope": "20"})).text
        assert "Nothing in the 20 jobs that were searched" in page
        assert "search 20,000 jobs" in page


async def test_columns_can_be_chosen(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute("""select graphile_worker.add_job('t', '{"hello": "world"}')""")
    async with browsing(gw_database) as client:
        page = (await client.get("/jobs?cols=task,payload")).text
        assert heads(page) == ["Job", "Task", "Payload"]
        assert "{&#34;hello&#34;: &#34;world&#34;}" in page
        assert "&#34;hello&#34;" not in (await client.get("/jobs")).text


async def test_a_region_is_fetched_alone_and_shows_the_present_state(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('t', run_at := now() + interval '1 day')"
        )
        async with browsing(gw_database) as client:
            before = (await client.get("/jobs", headers={"X-Region": "list"})).text
            assert "Scheduled" in before
            assert "<html" not in before
            assert 'data-region="rail"' not in before
            await connection.execute("update graphile_worker._private_jobs set run_at = now()")
            after = (await client.get("/jobs", headers={"X-Region": "list,rail"})).text
            assert "Ready" in after
            assert "Scheduled" not in after
            assert 'data-region="rail"' in after


async def test_jumping_finds_numbers_tasks_and_keys(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('mail', job_key := 'order:7')")
    async with browsing(gw_database) as client:
        for text, to in (
            ("1", "./jobs/1"),
            ("mail", "./tasks/mail"),
            ("order:7", "./jobs?key=order%3A7"),
            ("something else", "./jobs?q=something+else"),
        ):
            answer = await client.get("/jump", params={"q": text})
            assert (answer.status_code, answer.headers["location"]) == (303, to)


def heads(page: str) -> list[str]:
    return re.findall(r'<th scope="col"[^>]*>([A-Z][a-z ]+)</th>', page)


async def test_a_browser_keeps_its_columns_in_the_lists_of_all_states(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('t', job_key := 'k' || n) from generate_series(1, 2) n"
        )
        await connection.execute(
            "update graphile_worker._private_jobs set attempts = max_attempts where id = 1"
        )
    async with browsing(gw_database) as client:
        usual = heads((await client.get("/jobs?state=failed")).text)
        assert usual == [
            *("Job", "Task", "Queue", "Attempts", "Priority", "Key"),
            *("Failed", "Last error"),
        ]
        kept = await client.get(
            "/jobs?state=failed&task=t&size=20&col=task&col=error&col=failed&col=payload&keep=columns"
        )
        assert (kept.status_code, kept.headers["location"]) == (
            303,
            "./jobs?state=failed&task=t&size=20",
        )
        failed = (await client.get("/jobs?state=failed")).text
        assert heads(failed) == ["Job", "Task", "Failed", "Last error", "Payload"]
        assert 'value="payload" checked' in failed
        assert 'value="key">' in failed
        ready = ["Job", "Task", "Waiting for", "Payload"]
        assert heads((await client.get("/jobs?state=ready")).text) == ready
        alone = await client.get("/jobs?state=ready", headers={"X-Region": "list"})
        assert heads(alone.text) == ready
        # An address that names columns was sent to be seen as it is.
        assert heads((await client.get("/jobs?cols=task,queue")).text) == ["Job", "Task", "Queue"]
        await client.get("/jobs?state=failed&col=task&keep=usual")
        assert heads((await client.get("/jobs?state=failed")).text) == usual


async def test_who_may_not_see_payloads_gets_no_column_of_them(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute("""select graphile_worker.add_job('t', '{"hello": "world"}')""")
    async with browsing(gw_database, auth=lambda _scope: Identity.of("eve", {"view"})) as client:
        client.cookies.set("gw_columns", "+payload")
        page = (await client.get("/jobs")).text
        assert "Payload</th>" not in page
        assert 'value="payload"' not in page
        assert "hello" not in page


@pytest.mark.parametrize("text", ["", "+", "nonsense", "+nothing-never", "\x00<script>", "+" * 500])
async def test_a_cookie_of_any_text_is_a_choice(text: str) -> None:
    assert ColumnChoice.of(text) == ColumnChoice()


STATES = st.sampled_from(["all", "ready", "running", "failed", "scheduled"])
CHECKED = st.sets(st.sampled_from([column.name for column in COLUMNS]))


@given(st.lists(st.tuples(STATES, CHECKED), min_size=1, max_size=5))
def test_a_list_shows_what_was_checked_in_it_last(steps: list[tuple[str, set[str]]]) -> None:
    choice = ColumnChoice()
    for state, checked in steps:
        choice = ColumnChoice.of(str(choice.after(state, checked)))
        assert {column.name for column in choice.columns(state)} == checked
    assert not choice.shown & choice.hidden
