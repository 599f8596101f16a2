"""Under any prefix of any application, with or without a lifespan of its own."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar.types import Receive, Scope, Send
from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from support.admin_app import asked
from support.django_settings import configure_django
from support.running import sql, until

from graphile_worker.admin import allow_all, create_admin_app

PATH = "/ops/jobs"


def in_starlette(app: Any) -> Any:
    return Starlette(routes=[Mount(PATH, app)])


def in_fastapi(app: Any) -> Any:
    from fastapi import FastAPI

    host = FastAPI()
    host.mount(PATH, app)
    return host


def in_litestar(app: Any) -> Any:
    from litestar import Litestar, asgi

    @asgi(PATH, is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return Litestar([mounted])


def in_django(app: Any) -> Any:
    """As docs/admin.md says: Starlette in front of Django's own ASGI application."""
    from django.core.asgi import get_asgi_application

    configure_django()
    return Starlette(
        routes=[
            Route(PATH, RedirectResponse(f"{PATH}/")),
            Mount(PATH, app),
            Mount("/", get_asgi_application()),
        ]
    )


HOSTS = [in_starlette, in_fastapi, in_litestar, in_django]


@pytest.mark.parametrize("host", HOSTS)
async def test_it_is_mounted_under_a_prefix(gw_database: str, host: Any) -> None:
    # Fault 11: absolute paths work at the root only.
    app = create_admin_app(gw_database, auth=allow_all())
    async with asked(host(app)) as client:
        added = await client.post(f"{PATH}/api/v1/jobs", json={"task": "t", "queue": "a/b"})
        assert added.status_code == 201
        assert (await client.get(f"{PATH}/api/v1/queues/a%2Fb")).json()["state"] == "free"
        document = (await client.get(f"{PATH}/api/v1/openapi.json")).json()
        assert document["servers"] == [{"url": PATH}]
        started = await client.post(
            f"{PATH}/api/v1/operations", json={"action": "delete", "filter": {"task": "none"}}
        )
        assert started.headers["location"].startswith(f"http://admin.test{PATH}/api/v1/operations/")
        assert (await client.get(f"{PATH}/healthz")).text == "ok\n"
        assert (await client.get("/healthz")).status_code == 404
        assert (await client.get(f"{PATH}/api/v1/nothing")).json()["status"] == 404
        slash = await client.get(PATH)
        assert slash.is_redirect
        assert slash.next_request is not None
        assert str(slash.next_request.url) == f"http://admin.test{PATH}/"
    await app.aclose()


async def connections(url: str) -> int:
    async with sql(url) as connection:
        count: int = await connection.fetchval(
            "select count(*) from pg_stat_activity where application_name like 'graphile-worker%'"
            " and datname = current_database()"
        )
    return count


async def test_nothing_is_opened_before_somebody_asks(gw_database: str) -> None:
    app = create_admin_app(gw_database, auth=allow_all())
    async with asked(app) as client:
        await client.get("/healthz")
        assert await connections(gw_database) == 0
        await client.get("/api/v1/jobs")
        assert await connections(gw_database) == 1
    await app.aclose()
    await until(lambda: none_left(gw_database))


async def none_left(url: str) -> bool:
    return await connections(url) == 0


def test_connections_are_closed_when_the_loop_ends_though_no_host_says_so(
    gw_database_sync: str,
) -> None:
    async def program() -> None:
        app = create_admin_app(gw_database_sync, auth=allow_all())
        async with asked(in_starlette(app)) as client:
            assert (await client.get(f"{PATH}/api/v1/jobs")).status_code == 200

    asyncio.run(program())
    assert asyncio.run(none_left(gw_database_sync))


async def test_a_host_that_passes_its_lifespan_on_closes_it(gw_database: str) -> None:
    app = create_admin_app(gw_database, auth=allow_all())
    async with alive(app):
        async with asked(app) as client:
            assert (await client.get("/api/v1/jobs")).status_code == 200
        assert await connections(gw_database) == 1
    await until(lambda: none_left(gw_database))


@contextlib.asynccontextmanager
async def alive(app: Any) -> AsyncIterator[None]:
    to_app: asyncio.Queue[Any] = asyncio.Queue()
    from_app: asyncio.Queue[Any] = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan"}, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    assert (await from_app.get())["type"] == "lifespan.startup.complete"
    yield
    await to_app.put({"type": "lifespan.shutdown"})
    assert (await from_app.get())["type"] == "lifespan.shutdown.complete"
    await running


async def test_a_pool_that_was_given_is_used_and_left_open(gw_database: str) -> None:
    import asyncpg

    async with asyncpg.create_pool(gw_database, min_size=1, max_size=2) as pool:
        app = create_admin_app(pool, auth=allow_all())
        async with asked(app) as client:
            assert (await client.post("/api/v1/jobs", json={"task": "t"})).status_code == 201
            assert len((await client.get("/api/v1/jobs")).json()["rows"]) == 1
        await app.aclose()
        assert await pool.fetchval("select count(*) from graphile_worker._private_jobs") == 1
        assert await pool.fetchval("show statement_timeout") == "0"


async def test_what_was_opened_without_a_request_is_closed_too(gw_database: str) -> None:
    app = create_admin_app(gw_database, auth=allow_all())
    await app.parts.reading.jobs.newest_id()
    assert await connections(gw_database) == 1
    await app.aclose()
    await until(lambda: none_left(gw_database))
    await app.aclose()


async def test_it_can_be_used_again_after_it_was_closed(gw_database: str) -> None:
    app = create_admin_app(gw_database, auth=allow_all())
    async with asked(app) as client:
        for _ in range(2):
            assert (await client.get("/api/v1/jobs")).status_code == 200
            await app.aclose()
    assert await connections(gw_database) == 0


async def test_web_sockets_are_refused() -> None:
    app = create_admin_app("postgres://nowhere", auth=allow_all())
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]


async def test_for_itself_its_first_page_is_where_it_is(gw_database: str) -> None:
    app = create_admin_app(gw_database, auth=allow_all())
    async with asked(app) as client:
        for path in ("/", "/?range=15m", "/jobs"):
            assert (await client.get(path)).status_code == 200, path
    await app.aclose()


def test_without_the_extra_the_error_names_it() -> None:
    program = (
        "import sys; sys.modules['starlette'] = None\n"
        "import graphile_worker.admin as admin\n"
        "print(admin.Identity.of('a', 'viewer').role)\n"
        "admin.create_admin_app\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "viewer\n"
    assert "needs the extra 'admin'" in ended.stderr
