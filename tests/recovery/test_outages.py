"""Nobody is taken for dead because nobody could be heard."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from hypothesis import example, given
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
        """When a sweeper in this world sweeps; it looks as `Sweeper.run` does."""
        clock, due, next_look = -1, 0, 0.0
        for second, (answers, awake) in enumerate(zip(self.answers, self.awake, strict=True)):
            clock += awake
            if not awake or clock < next_look:
                continue
            is_due, wait = clock >= due, 0.0
            if answers:
                wait = sight.seconds_to_wait(START + timedelta(seconds=second), LONG_AGO)
                if is_due and not wait:
                    yield second
            if is_due and not wait:
                due = clock + interval
            next_look = clock + sight.pause(wait or due - clock)


def lived(*parts: tuple[int, str, int]) -> World:
    """For some seconds all goes well, then "asleep" or "cut off" for some; in the end, well."""
    world = World([], [])
    for well, what, unwell in (*parts, (2000, "asleep", 0)):
        world.answers += [True] * well + [what == "asleep"] * unwell
        world.awake += [True] * well + [what != "asleep"] * unwell
    return world


def worlds() -> st.SearchStrategy[World]:
    """Outages and sleeps of any length; in between, all goes well for a while."""
    what = st.sampled_from(["asleep", "cut off"])
    part = st.tuples(st.integers(60, 1500), what, st.integers(1, 3000))
    return st.lists(part, min_size=1, max_size=4).map(lambda parts: lived(*parts))


@given(
    world=worlds(),
    threshold=st.sampled_from([60, 300, 900]),
    intervals_in_threshold=st.sampled_from([3, 5, 10]),
    sweep_interval=st.sampled_from([5, 60, 400]),
    first=st.integers(0, 300),
)
# While the sweeper waits for the living to say so, all sleep once more.
@example(lived((60, "asleep", 1), (121, "asleep", 636), (60, "asleep", 86)), 900, 5, 5, 0)
# Neither sleep is long.
@example(lived((60, "asleep", 435), (60, "asleep", 435)), 900, 3, 5, 59)
# The heartbeat that the sleep put off falls into the outage.
@example(lived((60, "asleep", 86), (77, "cut off", 125)), 300, 3, 5, 41)
@example(lived((186, "cut off", 399), (60, "asleep", 390), (111, "asleep", 308)), 900, 3, 5, 11)
# An outage that begins and ends while the sweeper waits.
@example(lived((258, "asleep", 1171), (62, "cut off", 369), (273, "asleep", 271)), 900, 3, 5, 251)
@example(lived((888, "asleep", 192), (60, "cut off", 130), (142, "asleep", 157)), 300, 3, 60, 77)
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


@pytest.mark.parametrize("sweep_interval", [5, 60, 400])
@pytest.mark.parametrize(("threshold", "interval"), [(60, 20), (300, 30), (900, 300)])
def test_where_all_goes_well_every_sweep_is_made_in_time(
    threshold: int, interval: int, sweep_interval: int
) -> None:
    sight = Sight(threshold=threshold, heartbeat_interval=interval)
    sweeps = list(lived().sweeps(sight, sweep_interval))
    assert sweeps == list(range(0, 2000, sweep_interval))


def test_after_a_night_the_first_sweep_is_a_minute_away() -> None:
    sight = Sight(threshold=300, heartbeat_interval=30)
    sweeps = lived((60, "asleep", 30_000)).sweeps(sight, 60)
    assert list(sweeps)[:4] == [0, 30_120, 30_180, 30_240]


@dataclass
class Watch:
    """A sweeper's looks, one after the other, with a threshold of 300 s and an interval of 30 s."""

    sight: Sight = field(default_factory=lambda: Sight(threshold=300, heartbeat_interval=30))
    now: datetime = START
    server_started: datetime = LONG_AGO

    def look(self) -> float:
        return self.sight.seconds_to_wait(self.now, self.server_started)

    def go_on(self, seconds: float) -> float:
        """Look again and again for so long."""
        end, wait = self.now + timedelta(seconds=seconds), 0.0
        while self.now < end:
            pause = self.sight.pause((end - self.now).total_seconds())
            self.now += timedelta(seconds=pause)
            wait = self.look()
        return wait

    def miss(self, seconds: float) -> float:
        """Look only then, without having meant to."""
        self.sight.pause(0)
        self.now += timedelta(seconds=seconds)
        return self.look()


def test_without_a_break_the_first_sweep_is_made_at_once() -> None:
    assert Watch().look() == 0


def test_what_was_missed_adds_up_until_all_must_have_been_heard() -> None:
    for seconds_between, missing in ((30, 60), (60, 60), (120, 0)):
        watch = Watch()
        watch.look()
        assert watch.miss(70) == 0
        assert watch.go_on(seconds_between) == 0
        assert watch.miss(70) == missing


def test_looks_that_take_a_moment_have_missed_nothing() -> None:
    watch = Watch()
    watch.look()
    assert [watch.miss(0.2) for _ in range(1000)] == [0] * 1000


def test_what_is_missed_while_waiting_is_waited_for_or_all_of_it_anew() -> None:
    watch = Watch()
    watch.look()
    assert watch.miss(3600) == 60
    assert watch.go_on(45) == 15
    assert watch.miss(20) == pytest.approx(15, abs=0.3)
    assert watch.miss(20) == 60
    assert watch.go_on(60) == 0


def test_after_a_look_without_an_answer_nothing_is_seen() -> None:
    watch = Watch()
    watch.look()
    watch.miss(3600)
    assert watch.sight.pause(60) == 15
    # Nor is an outage looked at as often as a settling.
    assert watch.sight.pause(60) == 60
    watch.now += timedelta(seconds=75)
    assert watch.look() == 60


def test_a_long_pause_is_made_in_pieces() -> None:
    """What happens in one goes unnoticed."""
    watch = Watch()
    watch.look()
    assert watch.sight.pause(1000) == 60


def test_a_server_that_has_just_started_is_given_time_too() -> None:
    watch = Watch(server_started=START - timedelta(seconds=20))
    assert watch.look() == 40
    assert watch.go_on(25) == 15
    # Nobody was awake.
    assert watch.miss(20) == pytest.approx(15, abs=0.3)
    assert watch.go_on(15) == 0
    watch.server_started = watch.now
    assert watch.go_on(1) == 60


def test_a_clock_that_is_put_back_stops_nothing() -> None:
    watch = Watch()
    watch.look()
    assert watch.miss(3600) == 60
    watch.now = START
    assert watch.look() == 60
    assert watch.go_on(60) == 0
    assert Watch(server_started=START + timedelta(hours=1)).look() == 0
