"""Medians, spreads, percentiles."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """What several rounds gave: their median, and the least and the most."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """
        Raises:
            ValueError: there is none.
        """
        if not values:
            raise ValueError("a spread of no values")
        return cls(statistics.median(values), min(values), max(values), len(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that so many percent of all do not exceed.

    Raises:
        ValueError: there are no values, or the percentage is none.
    """
    if not values:
        raise ValueError("a percentile of no values")
    if not 0 < percent <= 100:
        raise ValueError(f"percent must be over 0 and at most 100, got {percent}")
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def short(value: float) -> str:
    """A number with as many digits as a reader takes in: 71,300 · 812 · 3.14 · 0.052."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = 2 - math.floor(math.log10(abs(value)))
    if digits > 0:
        return f"{value:.{digits}f}"
    return f"{round(value, digits):,.0f}"


def short_spread(spread: Spread) -> str:
    """The median, and in brackets the range where it was measured more than once."""
    if spread.rounds == 1:
        return short(spread.median)
    return f"{short(spread.median)} ({short(spread.low)}…{short(spread.high)})"
