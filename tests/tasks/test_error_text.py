"""What stands in `last_error`."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphile_worker.errors import PayloadError, PermanentFailure
from graphile_worker.tasks.error_text import LONGEST, error_text, storable


class UntellableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class ExitsError(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class NoTextError(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307 (what is proven)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (ValueError(), "ValueError"),
        (ValueError(""), "ValueError"),
        (KeyError("a"), "KeyError: 'a'"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "CancelledError"),
        (TimeoutError("120 s"), "TimeoutError: 120 s"),
        (PayloadError("$.to: expected str, got int"), "PayloadError: $.to: expected str, got int"),
        (PermanentFailure("no such account"), "no such account"),
        (PermanentFailure("a\0"), "a\N{REPLACEMENT CHARACTER}"),
        (ValueError("a\0b\udcff"), "ValueError: a\N{REPLACEMENT CHARACTER}b\\udcff"),
        (UntellableError(), "UntellableError: (its message cannot be told: RuntimeError)"),
        (ExitsError(), "ExitsError: (its message cannot be told: SystemExit)"),
        (NoTextError(), "NoTextError: (its message cannot be told: TypeError)"),
        (
            ExceptionGroup("several", [ValueError("a"), ExceptionGroup("inner", [KeyError("b")])]),
            "ExceptionGroup: several (2 sub-exceptions) [ValueError: a; ExceptionGroup: inner (1 sub-exception) [KeyError: 'b']]",
        ),
    ],
)
def test_type_and_message(error, text):
    assert error_text(error) == text


@given(st.text())
def test_any_text_can_be_stored(text):
    stored = storable(text)
    assert "\0" not in stored
    assert len(stored.encode()) <= LONGEST


@pytest.mark.parametrize("character", ["x", "é", "🐘", "\udcff", "\0"])
@pytest.mark.parametrize("length", [LONGEST // 6, LONGEST, LONGEST + 1, 5_000_000])
def test_long_text_is_cut_with_a_mark(character, length):
    stored = storable(character * length)
    size = len(stored.encode())
    assert size <= LONGEST
    whole = len((character * length).replace("\0", "\ufffd").encode(errors="backslashreplace"))
    if whole > LONGEST:
        assert stored.endswith(" … (cut)")
        assert size > LONGEST - 10
    else:
        assert size == whole


def test_a_group_that_never_ends_is_told_in_part():
    error: Exception = ValueError("innermost")
    for _ in range(5000):
        error = ExceptionGroup("g", [error])
    assert error_text(error).startswith("ExceptionGroup: g")
