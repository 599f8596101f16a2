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


@dataclass(frozen=True)
class Change:
    """How much more something takes than without a thing, from rounds of both in turns.

    Parts of 1: the mean, and the ends of which the true mean passes each in one of twenty cases.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, without: Sequence[float], with_: Sequence[float]) -> Change:
        """
        Raises:
            ValueError: there are not as many of both, or fewer than two, or more than 31.
        """
        logs = [math.log(b / a) for a, b in zip(without, with_, strict=True)]
        if not 2 <= len(logs) <= len(_T_95) + 1:
            raise ValueError(f"a change needs 2 to {len(_T_95) + 1} rounds, got {len(logs)}")
        mean = statistics.mean(logs)
        wide = _T_95[len(logs) - 2] * statistics.stdev(logs) / math.sqrt(len(logs))
        return cls(*(math.expm1(value) for value in (mean, mean - wide, mean + wide)))

    def __str__(self) -> str:
        return f"{self.mean:+.1%} ({self.low:+.1%}…{self.high:+.1%})"


_T_95 = (
    *(6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812),
    *(1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725),
    *(1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697),
)
"""Student's t, one-sided 95 %, for 1 to 30 degrees of freedom."""


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
