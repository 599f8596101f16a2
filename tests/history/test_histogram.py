"""Buckets that never change, and what can be told from them."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.history.histogram import BOUNDS, BUCKETS, bucket_of, quantile

durations = st.floats(min_value=0.0, max_value=1e7)


def test_the_layout_is_fixed_since_stored_histograms_are_added_up() -> None:
    assert (BUCKETS, len(BOUNDS)) == (48, 47)
    assert BOUNDS[0] == 0.001
    assert BOUNDS[10] == pytest.approx(0.0576650390625)
    assert 1.4 < BOUNDS[-1] / 86400 < 1.5


@given(durations)
def test_every_duration_has_the_bucket_that_its_bounds_say(seconds: float) -> None:
    bucket = bucket_of(seconds)
    assert 0 <= bucket < BUCKETS
    assert bucket == BUCKETS - 1 or seconds <= BOUNDS[bucket]
    assert bucket == 0 or seconds > BOUNDS[bucket - 1]


@given(
    st.lists(st.floats(min_value=0.0011, max_value=100_000.0), min_size=1, max_size=200),
    st.sampled_from([0.5, 0.95, 0.99, 1.0]),
)
def test_a_quantile_is_within_a_quarter_of_the_true_one(found: list[float], share: float) -> None:
    true = sorted(found)[max(0, math.ceil(share * len(found)) - 1)]
    told = quantile(Counter(map(bucket_of, found)), share)
    assert 0.81 < told / true < 1.23
