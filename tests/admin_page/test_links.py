"""Every link leads somewhere, under any prefix; and what a page weighs."""

from __future__ import annotations

import gzip
import hashlib
import re
import tomllib
from html import unescape
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from support.admin_site import Door, browsing, fill
from support.running import sql

from graphile_worker.admin import create_admin_app
from graphile_worker.admin.pages.assets import FOLDER, TYPES, assets


def links(url: str, page: str) -> set[str]:
    """Where a page's links lead, without what stands behind `#`."""
    found = re.findall(r'(?:href|src|action|data-base|data-events)="([^"]*)"', page)
    return {urljoin(url, unescape(link)).partition("#")[0] for link in found if link}


@pytest.mark.full
async def test_every_link_of_a_mounted_application_leads_somewhere(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await fill(connection)
    admin = create_admin_app(gw_database, auth=Door())
    host = Starlette(routes=[Mount("/ops/jobs", admin)])
    transport = httpx.ASGITransport(host)
    seen: dict[str, int] = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        waiting = ["http://host/ops/jobs/"]
        while waiting:
            url = waiting.pop()
            if urlsplit(url).path.endswith("/events"):
                continue  # never ends
            answer = await client.get(url)
            seen[url] = answer.status_code
            assert url.startswith("http://host/ops/jobs/"), url
            # One list of jobs and one job stand for all of them: each has the same kinds of links.
            shape = re.sub(r"\d+", "#", urlsplit(url).path)
            if answer.headers.get("content-type", "").startswith("text/html") and (
                sum(re.sub(r"\d+", "#", urlsplit(other).path) == shape for other in seen) < 3
            ):
                waiting += links(url, answer.text) - seen.keys() - set(waiting)
    await admin.aclose()
    # A form without its fields, and what only a POST reaches, is refused; nothing is missing.
    assert {url: status for url, status in seen.items() if status not in {200, 303, 400, 405}} == {}
    assert len(seen) > 60


async def test_the_first_page_weighs_less_than_60_kb_all_told(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await fill(connection)
        await connection.execute(
            "select graphile_worker.add_job('t' || n, queue_name := 'q' || n) from generate_series(1, 200) n"
        )
    async with browsing(gw_database) as client:
        for path in ("/", "/jobs?size=50", "/queues", "/tasks"):
            async with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
                page = b"".join([part async for part in answer.aiter_raw()])
            assert answer.headers["content-encoding"] == "gzip"
            loaded = re.findall(r'(?:src|href)="\./(static/[^"]+)"', gzip.decompress(page).decode())
            assert len(loaded) == 6
            weight = len(page)
            for name in loaded:
                async with client.stream(
                    "GET", f"/{name}", headers={"Accept-Encoding": "gzip"}
                ) as one:
                    weight += len(b"".join([part async for part in one.aiter_raw()]))
                assert "immutable" in one.headers["cache-control"]
            assert weight < 60_000, (path, weight)


async def test_files_are_known_by_what_is_in_them(gw_database: str) -> None:
    async with browsing(gw_database) as client:
        style = assets()["app.css"]
        assert (await client.get(f"/{style.path}")).content == style.body
        assert (await client.get("/static/000000000000/app.css")).status_code == 404
        assert (await client.get(f"/static/{style.digest}/VENDORED.toml")).status_code == 404


def test_files_of_others_are_as_they_were_published() -> None:
    vendored = tomllib.loads((FOLDER / "VENDORED.toml").read_text())
    for name, facts in vendored.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == facts["sha256"]
        assert (FOLDER / facts["licence_file"]).exists()
    scripts = {"app.js", "live.js", "page.js"}
    assert set(TYPES) == {"app.css", "icon.svg"} | scripts | set(vendored)
    assert sum((FOLDER / name).stat().st_size for name in scripts) < 16_384


def test_scripts_that_name_each_other_are_found_beside_each_other() -> None:
    for name, asset in assets().items():
        imported = re.findall(r'from "\./([^"]+)"', asset.body.decode())
        assert {urljoin(asset.path, one) for one in imported} <= {
            one.path for one in assets().values()
        }, name
