from __future__ import annotations

import pytest

from graphile_worker.doctor.span import span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600 * 5 + 59, "5 h"),
        (3600 * 5 + 61, "5 h 1 min"),
        (86400 * 2 + 3600 * 3, "2 d 3 h"),
    ],
)
def test_a_span_has_two_units_at_most(seconds, text):
    assert span(seconds) == text
