"""What a batch handler returned, as the outcome of its job."""

from __future__ import annotations

import json
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.errors import PermanentFailure
from graphile_worker.jobs.outcome import COMPLETED, Unfinished, Verdict
from graphile_worker.tasks.batch_results import batch_outcome

THREE = '[{"n": 1.10}, {"n":  10000000000000000000000001}, "\\u0061"]'


@pytest.mark.parametrize("results", [None, [None] * 3, (None, None, None), deque([None] * 3)])
def test_all_done(results):
    assert batch_outcome(THREE, results) is COMPLETED


def test_only_failed_items_stay_as_they_were_stored():
    outcome = batch_outcome(THREE, [None, ValueError("bad"), KeyError])
    assert outcome == Unfinished(
        Verdict.SPENT,
        "2 batch item(s) failed: 1: ValueError: bad, 2: KeyError",
        payload='[{"n":  10000000000000000000000001},"\\u0061"]',
    )


@given(st.lists(st.tuples(st.integers(), st.booleans())))
def test_the_items_left_are_those_that_failed(pairs):
    payload = json.dumps([item for item, _ in pairs])
    outcome = batch_outcome(payload, [ValueError() if failed else None for _, failed in pairs])
    left = [item for item, failed in pairs if failed]
    if left:
        assert isinstance(outcome, Unfinished)
        assert outcome.payload is not None
        assert json.loads(outcome.payload) == left
        assert (outcome.error or "").startswith(f"{len(left)} batch item(s) failed: ")
    else:
        assert outcome is COMPLETED


@pytest.mark.parametrize(
    ("results", "error"),
    [
        ([], "batch handler returned 0 results for 3 payload items"),
        ([None] * 4, "batch handler returned 4 results for 3 payload items"),
        (
            True,
            "the batch handler returned bool, expected None or a list with None or an exception for each item",
        ),
        (
            "abc",
            "the batch handler returned str, expected None or a list with None or an exception for each item",
        ),
        (
            {1: None},
            "the batch handler returned dict, expected None or a list with None or an exception for each item",
        ),
        (
            [None, True, None],
            "the batch handler returned bool for item 1, expected None or an exception",
        ),
        (
            [None, None, "failed"],
            "the batch handler returned str for item 2, expected None or an exception",
        ),
        (
            [None, int, None],
            "the batch handler returned type for item 1, expected None or an exception",
        ),
    ],
)
def test_other_results_fail_the_whole_batch(results, error):
    assert batch_outcome(THREE, results) == Unfinished(Verdict.SPENT, error)


def test_a_batch_whose_failed_items_are_all_permanent_is_not_retried():
    outcome = batch_outcome("[1, 2]", [None, PermanentFailure("gone")])
    assert outcome == Unfinished(
        Verdict.EXHAUSTED, "1 batch item(s) failed: 1: gone", payload="[2]"
    )
    outcome = batch_outcome("[1, 2]", [ValueError(), PermanentFailure("gone")])
    assert isinstance(outcome, Unfinished)
    assert outcome.verdict is Verdict.SPENT


def test_items_that_only_other_workers_can_write_stay():
    outcome = batch_outcome(r'["\ud800", 1e400, 1]', [ValueError(), ValueError(), None])
    assert isinstance(outcome, Unfinished)
    assert outcome.payload == r'["\ud800",1e400]'


def test_an_empty_batch_is_done():
    assert batch_outcome("[]", []) is COMPLETED


def test_many_errors_are_cut():
    outcome = batch_outcome(json.dumps([1] * 100_000), [ValueError("x" * 100)] * 100_000)
    assert isinstance(outcome, Unfinished)
    assert len((outcome.error or "").encode()) <= 64 * 1024
    assert (outcome.error or "").startswith("100000 batch item(s) failed: 0: ValueError: x")
