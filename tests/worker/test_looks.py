"""When a claim goes on where the last one ended, and when it looks everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from graphile_worker.jobs.claimed_job import (
    NO_QUEUED,
    NONE_FREE,
    QUEUED,
    QUEUED_AFTER,
    QUEUED_NEAR,
    ClaimedJob,
)
from graphile_worker.queries.claim_jobs import Look, Place
from graphile_worker.worker import looks as module
from graphile_worker.worker.looks import Aim, Looks

EVERYWHERE = Aim(Look.HEADS)


def jobs(*at: tuple[int, float, int], queued: int = NO_QUEUED) -> list[ClaimedJob]:
    empty: dict[str, Any] = dict.fromkeys(ClaimedJob._fields)
    return [
        ClaimedJob(
            **{
                **empty,
                "priority": priority,
                "run_at": run_at,
                "id": id_,
                "queued": queued,
            }
        )
        for priority, run_at, id_ in at
    ]


def test_the_first_looks_everywhere_and_the_next_goes_on() -> None:
    looks = Looks(by_index=True)
    assert looks.next(2) == EVERYWHERE
    looks.claimed(jobs((0, 1.5, 7), (0, 2.5, 3)), EVERYWHERE, 0.001, 2)
    assert looks.next(2) == Aim(Look.PLAIN, Place(0, 2.5, None))


def test_in_a_tie_it_goes_on_by_id() -> None:
    looks = Looks(by_index=True)
    looks.claimed(jobs((0, 1.5, 3), (0, 1.5, 7)), EVERYWHERE, 0.001, 2)
    assert looks.next(2) == Aim(Look.PLAIN, Place(0, 1.5, 7))
    looks.claimed(jobs((0, 1.5, 8), (1, 1.5, 9)), looks.next(2), 0.001, 2)
    assert looks.next(2) == Aim(Look.PLAIN, Place(1, 1.5, None))


def test_after_a_claim_that_was_not_full_it_looks_everywhere() -> None:
    looks = Looks(by_index=True)
    looks.claimed(jobs((0, 1.5, 3)), EVERYWHERE, 0.001, 1)
    looks.claimed(jobs((0, 1.5, 4)), looks.next(2), 0.001, 2)
    assert looks.next(2) == EVERYWHERE


def test_while_free_queues_have_jobs_it_always_looks_everywhere() -> None:
    looks = Looks(by_index=True)
    looks.claimed(jobs((0, 1.5, 3), queued=QUEUED), EVERYWHERE, 0.001, 1)
    assert looks.next(1) == EVERYWHERE


def test_where_the_first_jobs_of_all_are_enough_the_next_claims_look_at_no_others() -> None:
    looks = Looks(by_index=True)
    looks.claimed(jobs((0, 1.5, 3), queued=QUEUED_NEAR), EVERYWHERE, 0.001, 1)
    assert looks.next(1) == Aim(Look.NEAR)
    looks.claimed(jobs((0, 1.5, 4), queued=QUEUED_NEAR), looks.next(1), 0.001, 1)
    assert looks.next(2) == Aim(Look.NEAR)
    looks.claimed(jobs((0, 1.5, 5), queued=QUEUED), looks.next(2), 0.001, 2)
    assert looks.next(2) == EVERYWHERE, "it brought fewer than it was asked for"


def test_where_no_free_queue_is_near_only_what_was_seen_is_claimed_without_a_look_everywhere() -> (
    None
):
    looks = Looks(by_index=True)
    looks.claimed(jobs((0, 1.5, 3), (0, 1.5, 4), queued=QUEUED_AFTER + 7), EVERYWHERE, 0.001, 2)
    assert looks.next(7) == Aim(Look.PLAIN, Place(0, 1.5, 4))
    assert looks.next(8) == EVERYWHERE
    looks.claimed(jobs((0, 1.5, 5), queued=QUEUED), looks.next(1), 0.001, 1)
    assert looks.next(6) == Aim(Look.PLAIN, Place(0, 1.5, 5))
    assert looks.next(7) == EVERYWHERE


def test_where_no_queue_is_free_at_all_there_is_no_such_limit() -> None:
    looks = Looks(by_index=True)
    looks.claimed(jobs((0, 1.5, 3), queued=NONE_FREE), EVERYWHERE, 0.001, 1)
    for id_ in range(4, 99):
        looks.claimed(jobs((0, 1.5, id_), queued=QUEUED), looks.next(1), 0.001, 1)
    assert looks.next(512) != EVERYWHERE
    looks.queue_freed()
    assert looks.next(1) == EVERYWHERE


@pytest.mark.parametrize("queued", [NONE_FREE, QUEUED_AFTER + 7])
def test_nor_for_longer_than_a_tenth_of_a_second(
    monkeypatch: pytest.MonkeyPatch, queued: int
) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    looks = Looks(by_index=True)
    looks.claimed(jobs((0, 1.5, 3), queued=queued), EVERYWHERE, 60.0, 1)
    now += 0.099
    assert looks.next(1) != EVERYWHERE
    now += 0.001
    assert looks.next(1) == EVERYWHERE


@pytest.mark.parametrize("queued", [NONE_FREE, QUEUED_AFTER + 7])
def test_when_a_queue_becomes_free_it_looks_everywhere(queued: int) -> None:
    looks = Looks(by_index=True)
    looks.claimed(jobs((0, 1.5, 3), queued=queued), EVERYWHERE, 0.001, 1)
    looks.queue_freed()
    assert looks.next(1) == EVERYWHERE


@pytest.mark.parametrize("queued", [NONE_FREE, QUEUED_AFTER + 7])
def test_a_queue_that_becomes_free_during_a_look_everywhere_is_looked_for_by_the_next(
    queued: int,
) -> None:
    looks = Looks(by_index=True)
    assert looks.next(1) == EVERYWHERE
    looks.queue_freed()
    looks.claimed(jobs((0, 1.5, 3), queued=queued), EVERYWHERE, 0.001, 1)
    assert looks.next(1) == EVERYWHERE
    looks.claimed(jobs((0, 1.5, 4), queued=queued), EVERYWHERE, 0.001, 1)
    assert looks.next(1) != EVERYWHERE


def test_what_a_plain_claim_saw_of_queues_counts_for_the_next() -> None:
    looks = Looks(by_index=True)
    looks.claimed(jobs((0, 1.5, 3)), EVERYWHERE, 0.001, 1)
    looks.claimed(jobs((0, 1.5, 4), queued=QUEUED), looks.next(1), 0.001, 1)
    assert looks.next(1) == EVERYWHERE


def test_it_begins_at_the_front_after_a_tenth_of_a_second_or_longer_where_that_is_dear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    looks = Looks(by_index=True)
    looks.claimed(jobs((0, 1.5, 3)), EVERYWHERE, 0.001, 1)
    for took, plain_for in [(0.001, 0.1), (0.1, 2.0), (60.0, 5.0)]:
        looks.claimed(jobs((0, 1.5, 3)), Aim(Look.PLAIN), took, 1)
        start = now
        now = start + plain_for - 0.001
        looks.claimed(jobs((0, 1.5, 4)), looks.next(1), 0.001, 1)
        assert looks.next(2) not in {EVERYWHERE, Aim(Look.PLAIN)}, "other claims do not put it off"
        now = start + plain_for
        assert looks.next(2) == Aim(Look.PLAIN)
    looks.claimed(jobs((0, 1.5, 3), queued=QUEUED), Aim(Look.PLAIN), 0.001, 1)
    assert looks.next(2) == EVERYWHERE


def test_a_call_is_first_answered_by_a_plain_look_where_no_queue_has_jobs() -> None:
    looks = Looks(by_index=True)
    looks.idle(is_called=True)
    assert looks.next(2) == EVERYWHERE, "nothing is known of queues"
    looks.claimed(jobs((0, 1.5, 3)), EVERYWHERE, 0.001, 2)
    looks.idle(is_called=False)
    assert looks.next(2) == EVERYWHERE
    looks.idle(is_called=True)
    assert looks.next(2) == Aim(Look.PLAIN)
    looks.claimed([], Aim(Look.PLAIN), 0.001, 2)
    assert looks.next(2) == EVERYWHERE
