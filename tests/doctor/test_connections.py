"""What `connections` counts, beside what pg_stat_activity shows."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest
from support.running import running, sql, until

from graphile_worker import WorkerContext, task
from graphile_worker.database.schema import Schema
from graphile_worker.doctor.examine import examine
from graphile_worker.drivers.connect import connect
from graphile_worker.hooks.events import WorkerStart
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.queries.server_readings import ConnectionLimit, server_reading
from graphile_worker.telemetry.queue_watch import QueueWatch

OWN = ("claim", "release", "listen", "heartbeat")


@pytest.mark.parametrize(
    ("options", "pool", "dedicated"),
    [
        ({"max_pg_conn": 5}, 1, OWN),
        ({"max_pg_conn": 8}, 3, (*OWN, "services")),
        (
            {"max_pg_conn": 5, "use_notification_delivery": False},
            1,
            ("claim", "release", "heartbeat"),
        ),
        (
            {"max_pg_conn": 10, "claim_mode": "transaction"},
            2,
            (*OWN, "claim 1", "claim 2", "claim 3", "services"),
        ),
        ({"max_pg_conn": 7, "plugins": [QueueWatch()]}, 2, (*OWN, "services", "watch")),
    ],
    ids=["the fewest", "a pool", "no LISTEN", "claims by transaction", "a watch"],
)
async def test_a_worker_opens_as_many_as_are_counted(
    gw_database: str, options: dict[str, Any], pool: int, dedicated: tuple[str, ...]
) -> None:
    async with busy(gw_database, options):
        await assert_opens(gw_database, pool, dedicated)


async def test_so_does_one_that_reaches_the_server_in_two_ways(gw_database: str) -> None:
    hooks = HookRegistry()
    hooks.add_plugin(QueueWatch())

    @hooks.on(WorkerStart)
    async def hold(event: WorkerStart) -> None:
        for _ in range(2):
            await held.enter_async_context(event.direct_database.connection())

    options = {"max_pg_conn": 7, "direct_database_url": gw_database, "hooks": hooks}
    async with busy(gw_database, options), AsyncExitStack() as held:
        await assert_opens(gw_database, 2 + 2, (*OWN, "services", "watch"))


@asynccontextmanager
async def busy(url: str, options: dict[str, Any]) -> AsyncIterator[None]:
    """A worker whose handlers want more connections than there are."""
    go = asyncio.Event()

    @task(payload=None)
    async def hold(ctx: WorkerContext) -> None:
        async with ctx.database.connection():
            await go.wait()

    async with running(url, tasks=[hold], concurrency=12, **options):
        try:
            yield
        finally:
            go.set()


async def assert_opens(url: str, pool: int, dedicated: tuple[str, ...]) -> None:
    """The worker has these connections, and no more than are counted."""
    counted = await until(lambda: connections_counted(url))
    opened: Counter[str] = Counter()
    async with sql(url) as db, sql(url) as other, other.transaction():

        async def has(wanted: dict[str, int]) -> bool:
            now = Counter(await sessions(db))
            assert now.total() <= counted, now
            opened.update(now - opened)
            return opened >= Counter(wanted)

        if "watch" in dedicated:
            await until(lambda: has({"watch": 1}))  # it looks while the pool has one to lend
        if "services" in dedicated:
            # For this lock a look at the schema waits, and keeps its connection.
            await other.execute("lock table graphile_worker.migrations in access exclusive mode")
            await db.execute("select pg_notify('worker:migrate', '')")

        async def has_all() -> bool:
            await db.execute("select graphile_worker.add_job('hold')")
            return await has({"": pool, **dict.fromkeys(dedicated, 1)})

        await until(has_all)
        await db.execute("delete from graphile_worker._private_jobs where locked_at is null")
    assert opened.total() == counted, opened


async def connections_counted(url: str) -> int:
    """For the one worker; 0 while it is not registered."""
    database = await connect(with_parameter(url, "application_name=doctor"))
    try:
        found = await examine(database, Schema("graphile_worker"))
    finally:
        await database.aclose()
    [message] = [finding.message for finding in found if finding.check == "connections"]
    said = re.match(r"\d workers? may open (\d+) connections of ", message)
    assert said, message
    return int(said[1])


def with_parameter(url: str, parameter: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{parameter}"


async def sessions(db: asyncpg.Connection) -> list[str]:
    """What those of the worker are for; the pool's say nothing."""
    rows = await db.fetch(
        "select application_name from pg_stat_activity "
        "where datname = current_database() and application_name like 'graphile-worker%'"
    )
    return [row["application_name"].removeprefix("graphile-worker").strip() for row in rows]


async def limits_as(role: str, url: str) -> tuple[ConnectionLimit, ...]:
    database = await connect(with_parameter(url, f"options=-c%20role%3D{role}"))
    try:
        return (await database.run(server_reading())).limits
    finally:
        await database.aclose()


async def test_sessions_of_others_count_for_the_limits_they_fall_under(
    gw_database: str, empty_database: str
) -> None:
    """Also where the role may see little of them, and what another database's worker has."""
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(sql(gw_database))
        database = await here.fetchval("select current_database()")
        role = f"{database}_worker"
        await here.execute(
            f"create role {role} connection limit 7; grant {role} to current_user;"
            f"alter database {database} connection limit 9"
        )
        try:
            none = await limits_as(role, gw_database)
            elsewhere = await connect(empty_database)
            stack.push_async_callback(elsewhere.aclose)
            claim = await elsewhere.dedicated("claim")
            stack.push_async_callback(claim.aclose)
            await stack.enter_async_context(sql(gw_database))
            some = await limits_as(role, gw_database)
        finally:
            await here.execute(f"drop role {role}")
    assert [limit.most for limit in some[1:]] == [9, 7]
    # Other tests come and go on this server.
    assert some[0].others >= some[1].others + 2
    assert some[1].others == none[1].others + 1
    assert some[2].others == 0
