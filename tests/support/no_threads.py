"""A system that has no thread left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_MORE_THAN_THERE_IS = 2**47
"""Bytes of one stack: the system refuses, as it does beyond its limit of threads."""


@contextmanager
def no_more_threads() -> Iterator[None]:
    """Inside, `Thread.start` raises `RuntimeError: can't start new thread`."""
    usual = threading.stack_size(_MORE_THAN_THERE_IS)
    try:
        yield
    finally:
        threading.stack_size(usual)
