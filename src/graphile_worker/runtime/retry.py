"""The one retry loop: exponential, capped, with jitter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next try.

    The n-th wait is drawn between half and all of `first * factor**n`, cut at `longest`, so that
    a fleet that lost its database together does not come back together.
    """

    first: timedelta = timedelta(milliseconds=100)
    longest: timedelta = timedelta(seconds=5)
    factor: float = 2.0

    def delays(self) -> Iterator[float]:
        """The waits in seconds, one after the other, without end; start anew after a success."""
        delay, longest = self.first.total_seconds(), self.longest.total_seconds()
        while True:
            yield delay * random.uniform(0.5, 1.0)  # noqa: S311 (jitter, not a secret)
            delay = min(delay * self.factor, longest)
