"""Figures that are shared, and what they may cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.admin import service
from support.running import sql

from graphile_worker import ConnectionLostError, DatabaseError
from graphile_worker.admin.service.samples import DUTY, SHARE, Budget, Sampled
from graphile_worker.queries.admin_samples import pulse


class Source:
    """Counts how often it is asked; answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error: Exception | None = None

    async def take(self) -> int:
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return number


async def test_any_number_of_viewers_ask_once() -> None:
    # Fault 6: each viewer's page scanned the table every five seconds.
    source = Source()
    sampled = Sampled(source.take, every=60)
    samples = await asyncio.gather(*(sampled.get() for _ in range(64)))
    assert {sample.value for sample in samples} == {1}
    assert source.asked == 1


async def test_nobody_asks_and_nothing_is_done() -> None:
    source = Source()
    sampled = Sampled(source.take, every=0)
    await sampled.get()
    for _ in range(50):
        await asyncio.sleep(0)
    assert source.asked == 1


async def test_an_old_sample_is_given_while_a_new_one_is_taken() -> None:
    source = Source()
    sampled = Sampled(source.take, every=0)
    assert (await sampled.get()).value == 1
    source.may_answer.clear()
    assert (await sampled.get()).value == 1
    assert (await sampled.get()).value == 1
    source.may_answer.set()
    assert (await sampled.get(fresh=True)).value >= 2
    await sampled.aclose()


async def test_a_sample_that_cannot_be_renewed_stays_and_says_why() -> None:
    source = Source()
    sampled = Sampled(source.take, every=0)
    first = await sampled.get()
    source.error = DatabaseError("away")
    again = await sampled.get(fresh=True)
    assert (again.value, again.at, again.error) == (1, first.at, "away")
    source.error = None
    assert (await sampled.get(fresh=True)).error is None


async def test_without_any_sample_the_error_is_raised() -> None:
    source = Source()
    source.error = DatabaseError("away")
    with pytest.raises(DatabaseError, match="away"):
        await Sampled(source.take, every=60).get()


class Failing:
    """Fails, after so many seconds of a clock that nothing else moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now = 1_000.0
        self.seconds = seconds
        self.asked = 0
        self.error: DatabaseError | None = DatabaseError("too slow", sqlstate="57014")
        clock = "graphile_worker.admin.service.samples.time.monotonic"
        monkeypatch.setattr(clock, lambda: self.now)

    async def take(self) -> int:
        self.asked += 1
        self.now += self.seconds
        if self.error is not None:
            raise self.error
        return self.asked


async def test_what_never_succeeded_is_not_tried_back_to_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = Failing(monkeypatch, 0.02)
    sampled = Sampled(failing.take, every=10)
    for _ in range(50):
        with pytest.raises(DatabaseError, match="too slow"):
            await sampled.get()
    assert failing.asked == 1
    failing.error = None
    failing.now += 2.0
    assert (await sampled.get()).value == 2
    assert (await sampled.get()).error is None


async def test_what_fails_rests_as_long_as_what_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing(monkeypatch, 10.0)
    budget = Budget()
    sampled = Sampled(failing.take, every=10, budget=budget)
    began = failing.now
    while failing.now < began + 3_600:
        with pytest.raises(DatabaseError):
            await sampled.get()
        failing.now += 1.0
    assert budget.seconds == 10.0 * failing.asked
    assert budget.seconds / (failing.now - began) < 0.03


async def test_nobody_waits_again_for_what_failed_after_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = Failing(monkeypatch, 10.0)
    sampled = Sampled(failing.take, every=10)
    with pytest.raises(DatabaseError):
        await sampled.get()
    failing.now += sampled.period
    failing.error = None
    with pytest.raises(DatabaseError):
        await sampled.get()
    assert failing.asked == 1  # the next one is under way
    await asyncio.sleep(0)
    assert (await sampled.get()).value == 2


async def test_a_database_that_was_long_in_not_answering_is_tried_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = Failing(monkeypatch, 10.0)
    failing.error = ConnectionLostError("away")
    budget = Budget()
    sampled = Sampled(failing.take, every=2, budget=budget)
    with pytest.raises(ConnectionLostError):
        await sampled.get()
    assert (sampled.period, budget.busy, sampled.rest) == (30.0, 0.0, 0.0)
    failing.error = None
    failing.now += 30.0
    assert (await sampled.get()).value == 2


async def test_what_takes_long_is_taken_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("graphile_worker.admin.service.samples.time.monotonic", lambda: now)

    async def slow() -> int:
        nonlocal now
        now += 3.0
        return 1

    sampled = Sampled(slow, every=10)
    await sampled.get()
    assert sampled.period == 3.0 * DUTY


async def test_one_who_gives_up_takes_it_from_nobody() -> None:
    source = Source()
    source.may_answer.clear()
    sampled = Sampled(source.take, every=60)
    impatient = asyncio.create_task(sampled.get())
    patient = asyncio.create_task(sampled.get())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait([impatient])
    source.may_answer.set()
    assert (await patient).value == 1
    assert source.asked == 1


async def test_a_statement_that_takes_too_long_is_stopped(gw_database: str) -> None:
    async with service(gw_database) as made, sql(gw_database) as connection:
        await made.reading.ready()
        async with connection.transaction():
            await connection.execute("lock table graphile_worker._private_jobs")
            with pytest.raises(DatabaseError) as caught:
                await made.sessions.read(pulse(made.sessions.schema), 0.2)
    assert caught.value.sqlstate in {"57014", "55P03"}


async def test_a_pulse_counts_what_happens_to_the_table(gw_database: str) -> None:
    async with service(gw_database) as made:
        first = (await made.reading.pulse.get()).value
        assert (first.ready, first.oldest_run_at, first.rows_are_hidden) == (0, None, False)
        async with sql(gw_database) as connection:
            await connection.execute(
                "select graphile_worker.add_job('t', priority => i % 3,"
                " run_at => now() - interval '1 min' * i) from generate_series(1, 9) as i"
            )
            oldest = await connection.fetchval(
                "select min(run_at) from graphile_worker._private_jobs"
            )
        second = (await made.reading.pulse.get(fresh=True)).value
    assert (second.ready, second.oldest_run_at) == (9, oldest)


async def test_a_sample_that_is_known_to_be_wrong_is_given_to_nobody() -> None:
    source = Source()
    sampled = Sampled(source.take, every=60)
    assert (await sampled.get()).value == 1
    sampled.expire()
    samples = await asyncio.gather(*(sampled.get() for _ in range(8)))
    assert {sample.value for sample in samples} == {2}
    assert (await sampled.get()).value == 2


async def test_nor_is_one_that_was_begun_before_that_was_known() -> None:
    source = Source()
    source.may_answer.clear()
    sampled = Sampled(source.take, every=60)
    before = asyncio.create_task(sampled.get())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert source.asked == 1
    sampled.expire()
    after = asyncio.create_task(sampled.get())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    source.may_answer.set()
    assert (await before).value == 1
    assert (await after).value == 2
    assert (await sampled.get()).value == 2


async def test_all_together_take_no_more_than_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    spent = 0.0
    monkeypatch.setattr("graphile_worker.admin.service.samples.time.monotonic", lambda: now)

    def taking(seconds: float) -> Callable[[], Awaitable[int]]:
        async def take() -> int:
            nonlocal now, spent
            now += seconds
            spent += seconds
            return 1

        return take

    budget = Budget()
    every = [Sampled(taking(took), every=2.0, budget=budget) for took in (0.5, 0.3, 0.2, 0.1, 0.01)]
    for sampled in every:
        await sampled.get()
    spent, began = 0.0, now
    while now < began + 600:
        await asyncio.gather(*(sampled.get() for sampled in every))
        now += 0.1
    assert spent / (now - began) < 0.05
    assert budget.busy == pytest.approx(SHARE)
    now += 10_000
    await every[-1].get(fresh=True)
    assert every[-1].period == 2.0
