from __future__ import annotations

from graphile_worker.drivers.placeholders import named, pyformat


def test_parameters_get_names_and_percent_signs_are_doubled():
    assert pyformat("select $1::text, $12, 5 % 2, '%s', $1") == (
        "select %(p1)s::text, %(p12)s, 5 %% 2, '%%s', %(p1)s"
    )
    assert named(("a", None)) == {"p1": "a", "p2": None}
