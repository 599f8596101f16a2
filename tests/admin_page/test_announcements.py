"""New jobs are heard of while somebody watches, and no longer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from support.admin_site import serving
from support.admin_stream import following
from support.pgbouncer import PROGRAM, pgbouncer
from support.running import sql, until

from graphile_worker.admin.live.announcements import Announcements
from graphile_worker.admin.service.samples import DUTY, Sampled
from graphile_worker.client.binding import bind
from graphile_worker.drivers.connect import connect

LISTENING = """
select pid from pg_stat_activity
where datname = current_database() and application_name like 'graphile-worker%listen'
"""


class Readings:
    """Counts how often one was taken."""

    def __init__(self, cost: float = 0.0) -> None:
        self.count = 0
        self.began: list[float] = []
        self._cost = cost

    async def __call__(self) -> int:
        self.began.append(time.monotonic())
        await asyncio.sleep(self._cost)
        self.count += 1
        return self.count


@asynccontextmanager
async def hearing(
    url: str, readings: Readings, *, linger: float = 0.0, prepared_statements: bool = True
) -> AsyncIterator[Announcements]:
    """Announcements of which nobody is watching yet."""
    database = await connect(url, max_connections=1, prepared_statements=prepared_statements)

    async def opened():
        return database

    announcements = Announcements(opened, Sampled(readings, every=3600.0), linger=linger)
    yield announcements
    await announcements.aclose()
    await database.aclose()


async def test_it_listens_while_somebody_watches(gw_database: str) -> None:
    readings = Readings()
    async with sql(gw_database) as connection, hearing(gw_database, readings) as announcements:

        async def is_listening() -> bool:
            return bool(await connection.fetch(LISTENING))

        async def is_silent() -> bool:
            return not await connection.fetch(LISTENING)

        assert not await is_listening()
        for _ in range(2):
            with announcements.watched():
                with announcements.watched():
                    await until(is_listening)
                assert announcements.is_on
                turn = announcements.turn
                await connection.execute("select graphile_worker.add_job('t')")

                async def is_read(turn: int = turn) -> bool:
                    return announcements.turn > turn

                await until(is_read)
            await until(is_silent)
        assert readings.count == announcements.turn


async def test_who_comes_back_soon_finds_the_same_connection(gw_database: str) -> None:
    async with (
        sql(gw_database) as connection,
        hearing(gw_database, Readings(), linger=60.0) as announcements,
    ):

        async def pid() -> int | None:
            return await connection.fetchval(LISTENING)

        with announcements.watched():
            before = await until(pid)
        with announcements.watched():
            assert await pid() == before


async def test_a_lost_connection_is_opened_again(gw_database: str) -> None:
    async with (
        sql(gw_database) as connection,
        hearing(gw_database, Readings()) as announcements,
    ):

        async def pid() -> int | None:
            return await connection.fetchval(LISTENING)

        with announcements.watched():
            before = await until(pid)
            await connection.execute("select pg_terminate_backend($1)", before)

            async def is_back() -> bool:
                return await pid() not in {None, before}

            await until(is_back)
            turn = announcements.turn

            async def is_read() -> bool:
                await connection.execute("select graphile_worker.add_job('t')")
                return announcements.turn > turn

            await until(is_read)


async def test_readings_keep_to_their_share_however_much_is_announced(gw_database: str) -> None:
    cost = 0.02
    readings = Readings(cost)
    async with sql(gw_database) as connection, hearing(gw_database, readings) as announcements:
        with announcements.watched():

            async def three_were_taken() -> bool:
                await connection.execute("select graphile_worker.add_job('t')")
                return readings.count > 2

            await until(three_were_taken)
    for before, after in zip(readings.began, readings.began[1:], strict=False):
        assert after - before >= DUTY * cost


async def test_a_pool_of_somebody_else_keeps_all_of_its_connections(gw_database: str) -> None:
    async with asyncpg.create_pool(gw_database, min_size=1, max_size=1) as pool:
        database = bind(pool).database
        assert database is not None

        async def opened():
            return database

        announcements = Announcements(opened, Sampled(Readings(), every=3600.0))
        with announcements.watched():

            async def is_off() -> bool:
                return not announcements.is_on

            await until(is_off)
            assert await pool.fetchval("select 1") == 1
        await announcements.aclose()


async def test_a_stream_has_it_on_and_tells_of_a_job_before_its_time(gw_database: str) -> None:
    async with sql(gw_database) as connection, serving(gw_database) as (base, _door, app):
        announcements = app.pages.site.announcements
        assert not announcements.is_on
        async with following(base) as (_, told):
            await anext(told)
            assert announcements.is_on

            async def is_listening() -> bool:
                return bool(await connection.fetch(LISTENING))

            await until(is_listening)
            await connection.execute("select graphile_worker.add_job('t')")
            async for _, news in told:
                if "jobs" in news["kinds"]:
                    break
            assert announcements.turn > 0


@pytest.mark.full
@pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer on this machine")
async def test_behind_a_pooler_that_cannot_it_is_off_and_pages_follow_all_the_same(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "graphile_worker.admin")
    with pgbouncer(gw_database) as url:
        async with (
            sql(gw_database) as connection,
            hearing(url, Readings(), prepared_statements=False) as announcements,
        ):
            with announcements.watched():

                async def is_given_up() -> bool:
                    return "open pages go without" in caplog.text

                await until(is_given_up, seconds=30)
                assert await connection.fetch(LISTENING) == []
        async with (
            serving(url, prepared_statements=False) as (base, _door, _app),
            following(base) as (_, told),
        ):
            _, news = await anext(told)
            assert news["lost"] is None
