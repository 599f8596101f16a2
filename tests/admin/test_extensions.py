"""What a host adds: panels, links, the way to traces."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from markupsafe import Markup
from support.admin_app import admin
from support.running import sql

from graphile_worker import ConfigurationError, WorkerUtils
from graphile_worker.admin import Identity, Panel, ShownJob, allow_all, create_admin_app
from graphile_worker.admin.extensions.panels import JobPanels
from graphile_worker.admin.service.traces import Trace, trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


async def add(url: str, payload: Any = None, **spec: Any) -> int:
    async with WorkerUtils.connect(url) as utils:
        return (await utils.add_raw_job("charge", payload or {})).id


async def test_panels_show_text_and_markup_of_the_job_as_it_is_shown(gw_database: str) -> None:
    seen: list[ShownJob] = []

    def customer(job: ShownJob) -> Panel:
        seen.append(job)
        return Panel("Customer <1>", "Ada & Bob\n<b>not bold</b>")

    async def order(job: ShownJob) -> Panel:
        return Panel("Order", Markup("<a href='https://shop.example/{}'>open</a>").format(job.id))

    def for_others(job: ShownJob) -> None:
        return None

    job_id = await add(gw_database, {"order": 7, "password": "hunter2"})
    async with admin(gw_database, job_panels=[customer, order, for_others]) as client:
        page = (await client.get(f"/jobs/{job_id}")).text
    assert "Customer &lt;1&gt;" in page
    assert "Ada &amp; Bob\n&lt;b&gt;not bold&lt;/b&gt;" in page
    assert f"<a href='https://shop.example/{job_id}'>open</a>" in page
    assert page.count('id="panel-') == 2
    (shown,) = seen
    assert (shown.id, shown.task, shown.state, shown.schema) == (
        job_id,
        "charge",
        "ready",
        "graphile_worker",
    )
    assert shown.payload == '{\n  "order": 7,\n  "password": "[redacted]"\n}'
    assert (shown.viewer, "view_payload" in shown.permissions) == ("anonymous", True)


async def test_a_panel_that_raises_or_hangs_breaks_nothing(
    gw_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def raises(job: ShownJob) -> Panel:
        raise ValueError("hunter2")

    def hangs(job: ShownJob) -> Panel:
        release.wait(30)
        return Panel("too late", "")

    async def sleeps(job: ShownJob) -> Panel:
        await asyncio.Event().wait()
        return Panel("never", "")

    async def cancels(job: ShownJob) -> Panel:
        raise asyncio.CancelledError

    def answers_text(job: ShownJob) -> Any:
        return "text"

    class Works:
        async def __call__(self, _job: ShownJob) -> Panel:
            return Panel("This one works", "yes")

    monkeypatch.setattr("graphile_worker.admin.extensions.panels.JobPanels.__init__", quick)
    panels = [raises, hangs, sleeps, cancels, answers_text, Works()]
    job_id = await add(gw_database)
    try:
        async with admin(gw_database, job_panels=panels) as client:
            answer = await client.get(f"/jobs/{job_id}")
    finally:
        release.set()
    assert answer.status_code == 200
    page = answer.text
    assert "It raised ValueError; see the log." in page
    assert "hunter2" not in page
    assert page.count("It took more than 0.3 s.") == 2
    assert "It was cancelled." in page
    assert "It answered with str." in page
    assert "This one works" in page
    assert "Why it is here" in page


original = JobPanels.__init__


def quick(self: JobPanels, panels: Any = ()) -> None:
    original(self, panels, seconds=0.3)


async def test_panels_are_not_asked_with_the_news(gw_database: str) -> None:
    asked: list[int] = []

    def panel(job: ShownJob) -> Panel:
        asked.append(job.id)
        return Panel("P", "")

    job_id = await add(gw_database)
    async with admin(gw_database, job_panels=[panel]) as client:
        region = await client.get(f"/jobs/{job_id}", headers={"X-Region": "job"})
        assert region.status_code == 200
        assert asked == []


async def test_a_panel_is_not_told_what_its_viewer_may_not_see(gw_database: str) -> None:
    seen: list[ShownJob] = []

    def panel(job: ShownJob) -> None:
        seen.append(job)

    def auth(scope: Any) -> Identity:
        return Identity.of("eve", {"view"})

    job_id = await add(gw_database, {"order": 7})
    async with admin(gw_database, auth=auth, job_panels=[panel]) as client:
        assert (await client.get(f"/jobs/{job_id}")).status_code == 200
    assert [(job.viewer, job.payload) for job in seen] == [("eve", None)]


async def test_links_of_the_host_stand_below_the_screens(gw_database: str) -> None:
    links = [("Runbook", "https://wiki.example/jobs?a=1&b=2"), ("Back to the shop", "/admin/")]
    async with admin(gw_database, nav_links=links) as client:
        page = (await client.get("/jobs")).text
    link = (
        '<a href="https://wiki.example/jobs?a=1&amp;b=2" rel="noreferrer"><span>Runbook</span></a>'
    )
    assert page.count(link) == 2  # on a phone they are in the menu
    assert '<a href="/admin/" rel="noreferrer"><span>Back to the shop</span></a>' in page


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//evil.example",
        "/\\evil.example",
        "https:evil",
        "https://",
        "wiki",
        "",
        "https://a b",
        "https://[",
    ],
)
def test_links_to_scripts_and_nowhere_are_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="the address of a nav link must be"):
        made(nav_links=[("x", address)])


@pytest.mark.parametrize(
    "address", ["javascript:a({trace_id})", "//evil/{trace_id}", "mailto:{trace_id}", "{trace_id}"]
)
def test_a_trace_is_nothing_but_a_page(address: str) -> None:
    with pytest.raises(ConfigurationError, match="trace_url must be"):
        made(trace_url=address)


def made(**options: Any) -> Any:
    return create_admin_app("postgres://nowhere", auth=allow_all(), **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"nav_links": ["https://a.example"]}, "nav_links must be pairs"),
        ({"nav_links": [("", "https://a.example")]}, "nav_links must be pairs"),
        ({"nav_links": [("a", 3)]}, "nav_links must be pairs"),
        ({"trace_url": "https://a.example/"}, "must have {trace_id} in it"),
        ({"job_panels": ["panel"]}, "job_panels must be functions"),
        ({"payload_decoder": "decode"}, "payload_decoder must be a function"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        made(**options)


ours = f'{{"flags": 1, "trace_id": "{TRACE}", "span_id": "{SPAN}"}}'


@pytest.mark.parametrize(
    "payload",
    [
        f'{{"a": 1, "_trace": {ours}}}',
        f'[1, {{"a": 1}}, {{"_trace": {ours}}}]',
        f'{{"traceparent": "00-{TRACE}-{SPAN}-01"}}',
        f'{{"_trace": "00-{TRACE}-{SPAN}-01"}}',
        f'{{"_trace": {{"traceparent": "00-{TRACE.upper()}-{SPAN}-00"}}}}',
        f'{{"_trace": null, "traceparent": "00-{TRACE}-{SPAN}-01"}}',
    ],
)
def test_a_trace_is_found_in_a_payload(payload: str) -> None:
    assert trace_of(payload) == Trace(trace_id=TRACE, span_id=SPAN)


@pytest.mark.parametrize(
    "payload",
    [
        "{}",
        '"_trace"',
        '{"_trace": 1}',
        f'{{"_trace": {{"trace_id": "{"0" * 32}", "span_id": "{SPAN}"}}}}',
        f'{{"_trace": {{"trace_id": "{TRACE}/../x", "span_id": "{SPAN}"}}}}',
        f'{{"traceparent": "ff-{TRACE}-{SPAN}-01"}}',
        f'{{"traceparent": "{TRACE}"}}',
        f'{{"_trace": {ours}',
        '{"_trace": ' + "[" * 5000,
    ],
)
def test_what_is_no_trace_leads_nowhere(payload: str) -> None:
    assert trace_of(payload) is None


async def test_a_job_links_to_its_trace(gw_database: str) -> None:
    traced = await add(gw_database, {"_trace": {"flags": 1, "trace_id": TRACE, "span_id": SPAN}})
    plain = await add(gw_database)
    url = 'https://traces.example/t/{trace_id}?at={span_id}&left={"a":1}'.replace('"', "%22")
    async with admin(gw_database, trace_url=url) as client:
        page = (await client.get(f"/jobs/{traced}")).text
        link = f'href="https://traces.example/t/{TRACE}?at={SPAN}&amp;left={{%22a%22:1}}"'
        assert link in page
        assert "traces.example" not in (await client.get(f"/jobs/{plain}")).text
        told = (await client.get(f"/api/v1/jobs/{traced}")).json()
        assert told["trace"] == {"trace_id": TRACE, "span_id": SPAN}


async def test_a_job_links_to_the_trace_that_was_recorded(gw_database: str) -> None:
    job_id = await add(gw_database)
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.history.install()
    async with sql(gw_database) as connection:
        await connection.execute(
            "insert into graphile_worker._gwx_run (finished_at, job_id, task, attempt, run_at, started_at, outcome, worker, trace_id) "
            "values (now(), $1, 'charge', 1, now(), now(), 'failed', 'w', $2)",
            job_id,
            TRACE,
        )
    async with admin(gw_database, trace_url="/traces/{trace_id}") as client:
        assert f'href="/traces/{TRACE}"' in (await client.get(f"/jobs/{job_id}")).text
