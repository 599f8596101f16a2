from __future__ import annotations

import pytest

from graphile_worker.cli.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1000", 1000),
        ("512MB", 512_000_000),
        ("1 GiB", 2**30),
        ("1.5k", 1536),
        ("300m", 300 * 2**20),
        ("2gb", 2_000_000_000),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "invalid"), ("-1", "invalid"), ("5 apples", "`apples`"), ("0", "more than 0")],
)
def test_what_is_no_size(text, message):
    with pytest.raises(ValueError, match=message):
        parse_size(text)
