from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from graphile_worker.admin import bearer_auth, create_admin_app
from graphile_worker.admin.server import listen, serve
from graphile_worker.admin.web.limits import Rate
from graphile_worker.worker.listen_address import ListenAddress


@pytest.fixture
def gw_database_sync(server: Any) -> Iterator[str]:
    """A migrated database, for tests that are no coroutines."""
    url = asyncio.run(server.create_migrated())
    yield url
    asyncio.run(server.drop(url))


@pytest.fixture
def served(gw_database_sync: str) -> Iterator[str]:
    """The URL of an API that runs in a thread and is never too busy; its bearer token is `t`."""
    listening = listen(ListenAddress("127.0.0.1", 0))
    app = create_admin_app(gw_database_sync, auth=bearer_auth("t"))
    app.gate.rate = Rate(10**9)
    loop = asyncio.new_event_loop()
    until = asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(serve(app, listening, until=until),)
    )
    thread.start()
    yield listening.url
    loop.call_soon_threadsafe(until.set)
    thread.join(20)
    loop.close()
