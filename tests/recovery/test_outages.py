"""Nobody is taken for dead because nobody could be heard."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.relay import Relay
from support.running import running, sql, until

from graphile_worker import task
from graphile_worker.recovery.sight import Sight

WORKERS = "graphile_worker._private_workers"
THRESHOLD = 3.0


@task(payload=None)
async def work() -> None: ...


async def ids(connection: asyncpg.Connection) -> set[str]:
    return {row["id"] for row in await connection.fetch(f"select id from {WORKERS}")}


async def register(connection: asyncpg.Connection, worker_id: str, silent: float) -> None:
    await connection.execute(
        f"insert into {WORKERS} (id, last_heartbeat_at) "
        "values ($1, now() - $2::float8 * interval '1 second')",
        worker_id,
        silent,
    )


async def beat(connection: asyncpg.Connection, worker_id: str) -> None:
    await connection.execute(
        f"update {WORKERS} set last_heartbeat_at = now() where id = $1", worker_id
    )


async def test_after_an_outage_the_living_have_time_to_say_so(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "graphile_worker.recovery")
    parts = urlsplit(gw_database)
    query = parse_qs(parts.query)
    socket = Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")
    options = {"sweep_interval": 0.1, "sweep_threshold": THRESHOLD, "heartbeat_interval": 0.1}

    async with Relay(socket) as relay, sql(gw_database) as connection:
        url = f"postgresql://postgres@127.0.0.1:{relay.port}{parts.path}"
        async with running(url, tasks=[work], **options) as worker:
            await register(connection, "long dead", 3600)

            async def is_gone(worker_id: str) -> bool:
                return worker_id not in await ids(connection)

            await until(lambda: is_gone("long dead"))
            await register(connection, "alive", 0)
            await register(connection, "dead", 0)
            caplog.clear()
            relay.freeze()
            relay.hang_up()

            async def all_are_silent() -> bool:
                return await connection.fetchval(
                    "select bool_and(last_heartbeat_at < now() - $1::float8 * interval '1 second') "
                    f"from {WORKERS}",
                    THRESHOLD,
                )

            await until(all_are_silent)
            relay.thaw()

            async def waits() -> bool:
                return "looking for dead workers in" in caplog.text

            await until(waits)
            assert await ids(connection) == {"alive", "dead", worker.worker_id}

            async def dead_is_gone() -> bool:
                await beat(connection, "alive")
                return await is_gone("dead")

            await until(dead_is_gone)
            assert await ids(connection) == {"alive", worker.worker_id}


async def test_the_pause_between_two_sweeps_is_no_outage(
    gw_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However long it is, measured by the threshold."""
    caplog.set_level(logging.INFO, "graphile_worker.recovery")
    options = {"sweep_interval": 1.0, "sweep_threshold": 1.0, "heartbeat_interval": 0.2}
    async with sql(gw_database) as connection, running(gw_database, tasks=[work], **options):
        for worker_id in ("first", "second", "third"):
            await register(connection, worker_id, 3600)

            async def is_gone(worker_id: str = worker_id) -> bool:
                return worker_id not in await ids(connection)

            await until(is_gone)
    assert "out of reach" not in caplog.text


START = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = START - timedelta(days=1)
RETRY = 5
"""Seconds between two tries of a heartbeat, at the most."""


@dataclass
class World:
    """Whether the database answers, second by second, and whether workers are awake to ask it."""

    answers: list[bool]
    awake: list[bool]

    def heartbeats(self, first: int, interval: int) -> Iterator[int]:
        """When one worker's heartbeats arrive; its own clock stands still while it sleeps."""
        wait = first
        for second, (answers, awake) in enumerate(zip(self.answers, self.awake, strict=True)):
            if not awake:
                continue
            if wait > 0:
                wait -= 1
            elif answers:
                wait = interval - 1
                yield second
            else:
                wait = RETRY - 1

    def sweeps(self, sight: Sight, interval: int) -> Iterator[int]:
        """When a sweeper in this world sweeps."""
        wait = 0.0
        for second, (answers, awake) in enumerate(zip(self.answers, self.awake, strict=True)):
            if not awake:
                continue
            if wait >= 1:
                wait -= 1
                continue
            wait = interval
            if answers:
                needed = sight.seconds_to_wait(START + timedelta(seconds=second), LONG_AGO)
                if needed:
                    wait = min(interval, needed)
                else:
                    yield second


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Outages and sleeps of any length; in between, all goes well for a while."""
    answers: list[bool] = []
    awake: list[bool] = []
    for _ in range(draw(st.integers(1, 4))):
        well, unwell = draw(st.integers(60, 1500)), draw(st.integers(1, 3000))
        answers += [True] * well
        awake += [True] * well
        is_outage = draw(st.booleans())
        answers += [not is_outage] * unwell
        awake += [is_outage] * unwell
    well = 2000
    return World(answers + [True] * well, awake + [True] * well)


@given(
    world=worlds(),
    threshold=st.sampled_from([60, 300, 900]),
    intervals_in_threshold=st.sampled_from([3, 5, 10]),
    sweep_interval=st.sampled_from([5, 60, 400]),
    first=st.integers(0, 60),
)
def test_no_living_worker_is_found_silent(
    world: World, threshold: int, intervals_in_threshold: int, sweep_interval: int, first: int
) -> None:
    interval = threshold // intervals_in_threshold
    sight = Sight(threshold=threshold, heartbeat_interval=interval)
    beats = set(world.heartbeats(first % interval, interval))
    sweeps = set(world.sweeps(sight, sweep_interval))
    last = 0
    for second in range(len(world.answers)):
        last = second if second in beats else last
        assert second not in sweeps or second - last <= threshold
    # And in the end it sweeps again.
    assert max(sweeps, default=0) > len(world.answers) - 2 * sweep_interval - threshold


def test_a_server_that_has_just_started_is_given_time_too() -> None:
    sight = Sight(threshold=300, heartbeat_interval=30)
    assert sight.seconds_to_wait(START, START - timedelta(seconds=20)) == 40
    assert sight.seconds_to_wait(START + timedelta(seconds=40), START - timedelta(seconds=20)) == 0


def test_without_a_break_the_first_sweep_is_made_at_once() -> None:
    assert Sight(threshold=300, heartbeat_interval=30).seconds_to_wait(START, LONG_AGO) == 0


def test_a_clock_that_is_put_back_stops_nothing() -> None:
    sight = Sight(threshold=300, heartbeat_interval=30)
    later = START + timedelta(hours=1)
    for now in (START, later):
        wait = sight.seconds_to_wait(now, LONG_AGO)
    assert wait == 60
    assert sight.seconds_to_wait(START, LONG_AGO) == 0
    assert Sight(threshold=300, heartbeat_interval=30).seconds_to_wait(START, later) == 0
