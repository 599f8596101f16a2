"""When a claim goes on where the last one ended, and when it looks everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.queries.claim_jobs import FRONT, Place
from graphile_worker.worker import looks as module
from graphile_worker.worker.looks import Looks


def jobs(*at: tuple[int, float, int], queues_exist: bool = False) -> list[ClaimedJob]:
    empty: dict[str, Any] = dict.fromkeys(ClaimedJob._fields)
    return [
        ClaimedJob(
            **{
                **empty,
                "priority": priority,
                "run_at": run_at,
                "id": id_,
                "queues_exist": queues_exist,
            }
        )
        for priority, run_at, id_ in at
    ]


def test_the_first_looks_everywhere_and_the_next_goes_on() -> None:
    looks = Looks()
    assert looks.next() is None
    looks.claimed(jobs((0, 1.5, 7), (0, 2.5, 3)), None, 0.001, is_full=True)
    assert looks.next() == Place(0, 2.5, None)


def test_in_a_tie_it_goes_on_by_id() -> None:
    looks = Looks()
    looks.claimed(jobs((0, 1.5, 3), (0, 1.5, 7)), None, 0.001, is_full=True)
    assert looks.next() == Place(0, 1.5, 7)
    looks.claimed(jobs((0, 1.5, 8), (1, 1.5, 9)), looks.next(), 0.001, is_full=True)
    assert looks.next() == Place(1, 1.5, None)


def test_after_a_claim_that_was_not_full_it_looks_everywhere() -> None:
    looks = Looks()
    looks.claimed(jobs((0, 1.5, 3)), None, 0.001, is_full=True)
    looks.claimed(jobs((0, 1.5, 4)), looks.next(), 0.001, is_full=False)
    assert looks.next() is None


def test_while_queues_have_jobs_it_always_looks_everywhere() -> None:
    looks = Looks()
    looks.claimed(jobs((0, 1.5, 3), queues_exist=True), None, 0.001, is_full=True)
    assert looks.next() is None


def test_what_a_plain_claim_saw_of_queues_counts_for_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    looks = Looks()
    looks.claimed(jobs((0, 1.5, 3)), None, 0.001, is_full=True)
    looks.claimed(jobs((0, 1.5, 4), queues_exist=True), looks.next(), 0.001, is_full=True)
    assert looks.next() is not None, "not before its time"
    now += 0.1
    assert looks.next() is None


def test_it_begins_at_the_front_after_a_tenth_of_a_second_or_longer_where_that_is_dear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    looks = Looks()
    looks.claimed(jobs((0, 1.5, 3)), None, 0.001, is_full=True)
    for took, plain_for in [(0.001, 0.1), (0.1, 2.0), (60.0, 5.0)]:
        looks.claimed(jobs((0, 1.5, 3)), FRONT, took, is_full=True)
        start = now
        now = start + plain_for - 0.001
        looks.claimed(jobs((0, 1.5, 4)), looks.next(), 0.001, is_full=True)
        assert looks.next() not in {None, FRONT}, "other claims do not put it off"
        now = start + plain_for
        assert looks.next() == FRONT
    looks.claimed(jobs((0, 1.5, 3), queues_exist=True), FRONT, 0.001, is_full=True)
    assert looks.next() is None


def test_a_call_is_first_answered_by_a_plain_look_where_no_queue_has_jobs() -> None:
    looks = Looks()
    looks.idle(is_called=True)
    assert looks.next() is None, "nothing is known of queues"
    looks.claimed(jobs((0, 1.5, 3)), None, 0.001, is_full=False)
    looks.idle(is_called=False)
    assert looks.next() is None
    looks.idle(is_called=True)
    assert looks.next() == FRONT
    looks.claimed([], FRONT, 0.001, is_full=False)
    assert looks.next() is None
