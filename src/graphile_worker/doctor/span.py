"""A stretch of time as people say it."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ((86400.0, "d", 3600.0, "h"), (3600.0, "h", 60.0, "min"), (60.0, "min", 1.0, "s"))


def span(seconds: float) -> str:
    """Two units at most: `0.4 s`, `12 s`, `3 min 20 s`, `5 h`, `2 d 3 h`."""
    if seconds < 10:  # noqa: PLR2004 (from there on tenths say nothing)
        return f"{seconds:.1f} s"
    if seconds < 60:  # noqa: PLR2004 (a minute)
        return f"{seconds:.0f} s"
    for size, name, smaller, smaller_name in _UNITS:
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            part = int(rest // smaller)
            return f"{whole:.0f} {name} {part} {smaller_name}" if part else f"{whole:.0f} {name}"
    raise AssertionError  # the last unit is a minute
