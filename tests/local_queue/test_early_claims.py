"""When the next claim is sent, and how much it asks for."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from graphile_worker import LocalQueueConfig
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.local_queue.queue import LocalQueue

SIZE = 20
SLOTS = 4


def claimed(job_id: int) -> ClaimedJob:
    empty: dict[str, Any] = dict.fromkeys(ClaimedJob._fields)
    return ClaimedJob(**{**empty, "id": job_id})


class World:
    """Slots whose jobs end when told, and a claim that is answered when told."""

    def __init__(self, size: int = SIZE) -> None:
        self.free = SLOTS
        self.ran: list[int] = []
        self.asked = 0
        """By the claim that is under way; 0: there is none, for want of room."""
        self._ids = itertools.count(1)
        self.queue = LocalQueue(
            LocalQueueConfig(size=size),
            concurrency=SLOTS,
            slots=self,
            give_back=lambda _job: None,
            on_room=self._room,
        )
        self.queue.open()
        self._room()

    def start(self, job: ClaimedJob) -> None:
        self.free -= 1
        self.ran.append(job.id)

    def end(self, jobs: int) -> None:
        """So many jobs end, or as many as run."""
        for _ in range(jobs):
            if self.free < SLOTS:
                self.free += 1
                self.queue.slot_freed()

    def answer(self, jobs: int | None = None) -> None:
        """The claim brings so many, at most what it asked for; by default all of it."""
        asked, self.asked = self.asked, 0
        if asked:
            count = asked if jobs is None else min(jobs, asked)
            self.queue.put([claimed(next(self._ids)) for _ in range(count)], asked=asked)
            self._room()

    def _room(self) -> None:
        if not self.asked:
            self.asked = self.queue.wanted()


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("end"), st.integers(0, 60)),
            st.tuples(st.just("answer"), st.integers(0, 60)),
        ),
        max_size=60,
    ),
    st.sampled_from([1, 2, 7, SIZE]),
)
async def test_slots_never_wait_for_a_claim_that_is_not_sent(
    steps: list[tuple[str, int]], size: int
) -> None:
    world = World(size)
    for act, number in steps:
        getattr(world, act)(number)
        waiting = len(world.queue)
        assert waiting <= 2 * size
        assert world.asked or waiting > size // 2
        assert not waiting or not world.free
    assert world.ran == list(range(1, len(world.ran) + 1))
    world.queue.release()


async def test_slow_jobs_are_never_more_than_the_size() -> None:
    world = World()
    world.answer()
    assert len(world.queue) == SIZE
    for _ in range(50):
        world.end(1)
        world.answer()
        assert SIZE // 2 <= len(world.queue) <= SIZE


async def test_quick_jobs_find_the_next_claim_under_way() -> None:
    """As many as start during a claim are asked for on top of the room there is."""
    world = World()
    world.answer()
    for _ in range(3):
        world.end(SIZE + SLOTS)
        assert not len(world.queue), "they ran dry"
        world.answer()
    assert len(world.queue) == SIZE - SLOTS
    assert world.asked == SIZE, "the next claim is under way before any job has ended"
    world.end(SIZE // 2)
    world.answer()
    assert len(world.queue) == 2 * SIZE - SLOTS - SIZE // 2, "half of them did not start after all"
    assert not world.asked
    world.end(SIZE)
    assert world.asked, "and it is careful again"


async def test_jobs_that_are_suddenly_slow_are_no_more_than_twice_the_size() -> None:
    world = World()
    for _ in range(3):
        world.answer()
        world.end(SIZE + SLOTS)
    world.answer()
    for _ in range(3):
        world.answer()
        assert len(world.queue) <= 2 * SIZE
    assert not world.asked
