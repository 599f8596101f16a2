"""Slots: jobs in tasks of their own, however tasks are made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.eager_tasks import eager_task_factory

from graphile_worker import WorkerOptions, task
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.worker.slots import Slots


def lazy_task_factory(loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> asyncio.Task:
    return asyncio.Task(coro, loop=loop, **more)


FACTORIES = pytest.mark.parametrize(
    "factory", [None, lazy_task_factory, eager_task_factory], ids=["none", "lazy", "eager"]
)


@FACTORIES
async def test_a_job_that_never_suspends_gives_its_slot_back(
    gw_database: str, factory: Callable[..., Any]
) -> None:
    ran = []

    @task(payload=None)
    async def quick() -> None:
        ran.append(asyncio.current_task())

    asyncio.get_running_loop().set_task_factory(factory)
    async with WorkerOptions(
        database_url=gw_database, tasks=[quick], concurrency=2
    ).init() as worker:
        utils = worker.create_utils()
        for _ in range(7):
            await utils.add_job(quick, None)
        async with asyncio.timeout(20):
            result = await worker.run_once()
    assert result.completed == 7
    assert len(set(ran)) == 7


@FACTORIES
async def test_a_job_that_is_cancelled_before_it_begins_never_runs(
    factory: Callable[..., Any],
) -> None:
    asyncio.get_running_loop().set_task_factory(factory)
    job, never_run = some_job(), []

    async def run(job: ClaimedJob) -> None:
        raise AssertionError

    slots = Slots(1, run, on_free=lambda: None, on_never_run=never_run.append)
    slots.start(job)
    assert (slots.free, slots.running) == (0, [job])
    slots.cancel_all()
    await slots.wait_idle()
    assert (slots.free, slots.running, never_run) == (1, [], [job])


CONCURRENCY = 3
STEPS = st.lists(
    st.sampled_from(["start", "end", "end twice", "reserve", "unreserve", "cancel", "turn"]),
    max_size=40,
)


class Model:
    """Slots, and beside them what was done to them."""

    def __init__(self) -> None:
        self.live: dict[int, tuple[ClaimedJob, asyncio.Event]] = {}
        # All of them are kept, so that no identity is used twice.
        self.jobs: list[ClaimedJob] = []
        self.begun: set[int] = set()
        self.never_run: list[int] = []
        self.started = self.ended = self.freed = self.reserved = 0
        self.slots = Slots(
            CONCURRENCY, self._run, on_free=self._on_free, on_never_run=self._on_never_run
        )

    async def take(self, step: str) -> None:
        match step:
            case "start":
                self._start()
            case "end" if self.live:
                _, may_end = next(iter(self.live.values()))
                may_end.set()
            case "end twice" if self.live:
                job, _ = next(iter(self.live.values()))
                self._end(job)
                self.slots.ended(job)
            case "reserve":
                self.slots.reserve()
                self.reserved += 1
            case "unreserve" if self.reserved:
                self.slots.unreserve()
                self.reserved -= 1
            case "cancel":
                self.slots.cancel_all()
            case "turn":
                await asyncio.sleep(0)

    def check(self) -> None:
        assert self.slots.free == CONCURRENCY - len(self.live) - self.reserved
        assert [id(job) for job in self.slots.running] == list(self.live)
        assert self.freed == self.ended == self.started - len(self.live)
        assert self._is_idle() is not bool(self.live)
        assert not self.begun & set(self.never_run)

    async def finish(self) -> None:
        """Whatever was done to them, in the end nothing runs."""
        for _, may_end in self.live.values():
            may_end.set()
        async with asyncio.timeout(20):
            await self.slots.wait_idle()

    def _start(self) -> None:
        job = some_job()
        self.live[id(job)] = (job, asyncio.Event())
        self.started += 1
        self.jobs.append(job)
        self.slots.start(job)

    def _is_idle(self) -> bool:
        """Whether waiting for that would be over at once."""
        waiting = self.slots.wait_idle()
        try:
            waiting.send(None)
        except StopIteration:
            return True
        waiting.close()
        return False

    async def _run(self, job: ClaimedJob) -> None:
        self.begun.add(id(job))
        try:
            if id(job) in self.live:
                await self.live[id(job)][1].wait()
        finally:
            self._end(job)

    def _end(self, job: ClaimedJob) -> None:
        if self.live.pop(id(job), None) is not None:
            self.ended += 1
        self.slots.ended(job)

    def _on_free(self) -> None:
        self.freed += 1

    def _on_never_run(self, job: ClaimedJob) -> None:
        self.never_run.append(id(job))
        del self.live[id(job)]
        self.ended += 1


@FACTORIES
@given(steps=STEPS)
def test_what_is_free_and_what_runs_is_known_after_every_step(
    factory: Callable[..., Any], steps: list[str]
) -> None:
    async def drive() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        model = Model()
        for step in steps:
            await model.take(step)
            model.check()
        await model.finish()
        model.check()

    asyncio.run(drive())


def some_job() -> ClaimedJob:
    return ClaimedJob(
        1, 1, None, "null", 1, 25, 0.0, None, None, 0, 0.0, None, 0, None, 0.0, 0.0, False
    )
