"""The admin application, asked without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from graphile_worker.admin import allow_all, create_admin_app
from graphile_worker.admin.app import AdminApp

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@asynccontextmanager
async def admin(url: object, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client that asks from the same origin; closed at the end, and the application too."""
    app = create_admin_app(url, **{"auth": allow_all(), **options})
    try:
        async with asked(app) as client:
            yield client
    finally:
        await app.aclose()


@asynccontextmanager
async def asked(app: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an ASGI application."""
    transport = httpx.ASGITransport(app=app)
    options = {"base_url": "http://admin.test", "headers": SAME_ORIGIN, **options}
    async with httpx.AsyncClient(transport=transport, **options) as client:
        yield client


def endpoints_of(app: AdminApp) -> list[Any]:
    """All that can be asked for."""
    return list(app.gate.endpoints)
