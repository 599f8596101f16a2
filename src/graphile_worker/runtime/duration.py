"""Durations as users give them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TypeAlias

from graphile_worker.errors import ConfigurationError

Duration: TypeAlias = timedelta | float
"""A timedelta, or a number of seconds."""


def duration(name: str, value: object, *, positive: bool = False) -> timedelta:
    """The value of a duration option as a timedelta.

    Raises:
        ConfigurationError: not a duration, negative, not finite, or zero where `positive`.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        value = timedelta(seconds=value)
    if not isinstance(value, timedelta):
        raise ConfigurationError(
            f"{name} must be a timedelta or a number of seconds, got {value!r}"
        )
    if value < timedelta(0) or (positive and not value):
        bound = "more than" if positive else "at least"
        raise ConfigurationError(f"{name} must be {bound} 0 seconds, got {value}")
    return value
