"""Connection strings that are asked for: before every connect, and whatever the answer is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing, closing, suppress
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from support.running import running, until

from graphile_worker import (
    ConnectionLostError,
    DatabaseError,
    Job,
    SyncWorkerContext,
    Worker,
    WorkerContext,
    task,
)
from graphile_worker.database.statement import Statement, nothing
from graphile_worker.drivers import source
from graphile_worker.drivers.connect import connect, connect_sync

ONE = Statement("one", "select 1", (), nothing)


class Vault:
    """Gives URLs of a role whose password it knows; counts how often it was asked."""

    def __init__(self, url: str, password: str) -> None:
        self._url = url
        self.password = password
        self.asked = 0
        self.threads: set[str] = set()

    def plain(self) -> str:
        self.asked += 1
        self.threads.add(threading.current_thread().name)
        login = f"rotated:{quote(self.password, safe='')}@"
        return self._url.replace("postgres@", login)

    async def later(self) -> str:
        await asyncio.sleep(0)
        return self.plain()

    def disguised(self) -> Awaitable[str]:
        return self.later()


@pytest.fixture
async def admin(url: str) -> Any:
    connection = await asyncpg.connect(url)
    await connection.execute("create role rotated login password 'first'")
    yield connection
    await connection.execute("drop role rotated")
    await connection.close()


async def rotate(admin: asyncpg.Connection, vault: Vault) -> None:
    """Another password, and every connection with the old one gone."""
    vault.password = "second"
    await admin.execute("alter role rotated password 'second'")
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotated'"
    )


@pytest.fixture
async def own_database(url: str, admin: asyncpg.Connection) -> Any:
    await admin.execute("create database rotating owner rotated")
    yield url.replace("/postgres?", "/rotating?")
    await admin.execute("drop database rotating with (force)")


async def test_a_worker_lives_through_a_change_of_its_password(
    own_database: str, admin: asyncpg.Connection
) -> None:
    vault = Vault(own_database, "first")
    done: asyncio.Queue[int] = asyncio.Queue()

    @task(payload=None)
    async def in_a_transaction(ctx: WorkerContext) -> None:
        async with ctx.transaction():
            done.put_nowait(ctx.job.id)

    @task(payload=None)
    def in_a_thread(ctx: SyncWorkerContext) -> None:
        with ctx.transaction():
            done_from_thread(ctx.job.id)

    def done_from_thread(job_id: int) -> None:
        loop.call_soon_threadsafe(done.put_nowait, job_id)

    loop = asyncio.get_running_loop()
    async with running(
        vault.later,
        tasks=[in_a_transaction, in_a_thread],
        poll_interval=0.05,
        heartbeat_interval=0.05,
    ) as worker:

        async def work_off() -> None:
            for kind in (in_a_transaction, in_a_thread):
                job = await until(partial(added, worker, kind))
                assert await asyncio.wait_for(done.get(), 20) == job.id

        async def well() -> bool:
            health = worker.health()
            return health.is_ready and health.listening

        await work_off()
        await rotate(admin, vault)
        await work_off()
        await until(well)
    assert "graphile-worker-heartbeat" in vault.threads, "any thread may ask"


async def added(worker: Worker, kind: Any) -> Job | None:
    try:
        return await worker.create_utils().add_job(kind)
    except ConnectionLostError:
        return None


async def is_one_of_ours_gone(call: Callable[[], Awaitable[object]]) -> bool:
    try:
        await call()
    except ConnectionLostError:
        return True
    return False


@pytest.mark.parametrize("how", ["plain", "later", "disguised"])
async def test_a_password_that_changes_is_asked_for_anew(
    url: str, admin: asyncpg.Connection, how: str
) -> None:
    vault = Vault(url, "first")
    async with aclosing(await connect(getattr(vault, how), max_connections=2)) as database:
        await database.run(ONE)
        await database.run(ONE)
        assert vault.asked == 1, "a connection that is there is used again"
        await rotate(admin, vault)
        await is_one_of_ours_gone(lambda: database.run(ONE))
        await database.run(ONE)
        async with aclosing(await database.dedicated("claim")) as connection:
            await connection.run(ONE)
    assert vault.asked == 3


@pytest.mark.parametrize("how", ["plain", "later"])
async def test_the_same_without_an_event_loop(
    url: str, admin: asyncpg.Connection, how: str
) -> None:
    vault = Vault(url, "first")

    def use() -> None:
        with closing(connect_sync(getattr(vault, how), max_connections=2)) as database:
            database.run(ONE)
            asyncio.run_coroutine_threadsafe(rotate(admin, vault), loop).result()
            # The pool learns of the end of its connection when it is used, or before.
            with suppress(ConnectionLostError):
                database.run(ONE)
            database.run(ONE)

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(use)
    assert vault.asked >= 3


async def test_a_plain_function_may_wait_and_does_so_in_a_thread(
    url: str, admin: asyncpg.Connection
) -> None:
    vault = Vault(url, "first")
    async with aclosing(await connect(vault.plain, max_connections=1)) as database:
        await database.run(ONE)
    assert threading.current_thread().name not in vault.threads


async def test_the_old_password_is_refused_as_ever(url: str, admin: asyncpg.Connection) -> None:
    vault = Vault(url, "wrong")
    with pytest.raises(DatabaseError, match="cannot log in as rotated@"):
        await connect(vault.plain)


def broken() -> str:
    raise OSError("postgres://u:hunter2@h/d")


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (broken, r"database_url broken\(\) did not say where to connect: OSError$"),
        (lambda: 3, "expected a connection string, got int"),
        (lambda: "postgres://u@h/d?sslmode=nonsense", "sslmode must be one of"),
    ],
)
async def test_no_usable_answer_is_a_connection_that_cannot_be_made(ask: Any, says: str) -> None:
    with pytest.raises(ConnectionLostError, match=says):
        await connect(ask)
    with pytest.raises(ConnectionLostError, match=says):
        await asyncio.to_thread(connect_sync, ask)


async def test_an_answer_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "ANSWER_WITHIN", 0.01)

    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    with pytest.raises(ConnectionLostError, match="did not say where to connect within"):
        await connect(hang)


async def test_who_may_wait_asks_again(url: str) -> None:
    answers = iter([broken, lambda: url])

    def ask() -> str:
        return next(answers)()

    waits = timedelta(seconds=15)
    async with aclosing(await connect(ask, wait=waits)) as database:
        await database.run(ONE)
