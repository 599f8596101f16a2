"""News for open pages, and how they end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import httpx
import pytest
from support.admin_site import serving
from support.admin_stream import following
from support.running import sql, until


async def test_a_stream_tells_what_has_changed(gw_database: str) -> None:
    async with (
        sql(gw_database) as connection,
        serving(gw_database) as (base, _door, _app),
        following(base) as (answer, told),
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        name, first = await anext(told)
        assert (name, first["kinds"], first["lost"]) == ("pulse", ["pulse"], None)
        await connection.execute("select graphile_worker.add_job('t')")
        await connection.execute("select pg_stat_force_next_flush()")
        async for _, news in told:
            if news["changes"]:
                assert "jobs" in news["kinds"]
                break


async def test_who_may_not_look_any_more_is_told_and_the_stream_ends(gw_database: str) -> None:
    async with serving(gw_database) as (base, door, _app), following(base) as (_, told):
        await anext(told)
        door.is_open = False
        names = [name async for name, _ in told]
        assert names[-1] == "denied"


async def test_nobody_looks_and_nothing_is_asked_of_the_database(gw_database: str) -> None:
    async with sql(gw_database) as connection, serving(gw_database) as (base, _door, app):
        async with following(base) as (_, told):
            await anext(told)
        streams = app.pages.site.streams

        async def nobody() -> bool:
            return streams.count == 0

        await until(nobody)
        pulse = app.pages.site.samples.pulse
        seen = pulse.last
        # Two pulses' time goes by on the event loop, and not one is taken.
        deadline = time.monotonic() + 2 * pulse.period

        async def time_is_up() -> bool:
            return time.monotonic() > deadline

        await until(time_is_up)
        assert pulse.last is seen
        assert (
            await connection.fetchval(
                "select count(*) from pg_stat_activity where state = 'active'"
                " and datname = current_database() and pid <> pg_backend_pid()"
            )
            == 0
        )


async def test_a_65th_viewer_is_asked_to_poll(gw_database: str) -> None:
    async with serving(gw_database) as (base, _door, app), httpx.AsyncClient() as client:
        app.pages.site.streams.count = 64
        assert (await client.get(f"{base}events")).status_code == 503
        answer = await client.get(f"{base}live")
        assert answer.headers["x-stream"] == "full"
        assert set(answer.json()["kinds"]) == {"pulse", "jobs", "groups", "operation"}
        app.pages.site.streams.count = 0


SERVER = """
import sys, uvicorn
from graphile_worker.admin import allow_all, create_admin_app
app = create_admin_app(sys.argv[1], auth=allow_all())
print("starting", flush=True)
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


@pytest.mark.full
async def test_uvicorn_ends_at_once_on_its_signal_while_pages_are_open(
    gw_database: str, unused_tcp_port: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVER,
        gw_database,
        str(unused_tcp_port),
        env={**os.environ},
    )
    base = f"http://127.0.0.1:{unused_tcp_port}/"

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{base}live")).status_code == 200
        except httpx.TransportError:
            return False

    await until(answers)
    async with following(base) as (_, told):
        await anext(told)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await process.wait() in {0, -signal.SIGTERM}
