"""Throughput from what PostgreSQL counts anyway, while somebody looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from graphile_worker.admin.live.counters import KEPT, Counters
from graphile_worker.queries.admin_samples import Pulse

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def pulse(seconds: float, inserted: int, updated: int, deleted: int, **more: Any) -> Pulse:
    values = {"stats_reset": None, "oldest_run_at": None, "ready": 0, "rows_are_hidden": False}
    at = START + timedelta(seconds=seconds)
    return Pulse(at=at, inserted=inserted, updated=updated, deleted=deleted, **{**values, **more})


def last(counters: Counters, seconds: float):
    until = START + timedelta(seconds=seconds)
    return counters.buckets(until=until, width=timedelta(minutes=1), count=2)


def test_what_happened_is_put_where_it_happened() -> None:
    counters = Counters()
    counters.add(pulse(0, 100, 100, 50), running=2)
    # 12 starts, 3 of which failed and 8 of which were completed: one more is running.
    late = START + timedelta(seconds=18)
    counters.add(pulse(30, 140, 115, 58, oldest_run_at=late), running=3)
    counters.add(pulse(70, 150, 115, 58), running=3)
    first, second = last(counters, 70)
    assert (first.enqueued, first.completed, first.failed, first.oldest) == (40, 8, 3, 12.0)
    assert (second.enqueued, second.completed, second.failed, second.oldest) == (10, 0, 0, 0)


def test_a_reset_is_a_gap_and_not_a_flood() -> None:
    counters = Counters()
    counters.add(pulse(0, 100, 100, 100), running=0)
    counters.add(pulse(10, 5, 5, 5), running=0)
    counters.add(pulse(20, 6, 7, 6), running=0)
    assert [bucket.enqueued for bucket in last(counters, 20)] == [None, 1]


def test_what_postgresql_does_not_count_is_unknown() -> None:
    counters = Counters()
    counters.add(pulse(0, 1, 1, 1), running=0)
    counters.add(
        Pulse(
            at=START + timedelta(seconds=5),
            inserted=None,
            updated=None,
            deleted=None,
            stats_reset=None,
            oldest_run_at=None,
            ready=0,
            rows_are_hidden=False,
        ),
        running=0,
    )
    assert [bucket.completed for bucket in last(counters, 5)] == [None, None]


def test_memory_is_bounded() -> None:
    counters = Counters()
    for second in range(KEPT + 10):
        counters.add(pulse(second, second, second, second), running=0)
    assert counters.since == START + timedelta(seconds=10)
