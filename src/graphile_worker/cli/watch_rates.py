"""What two frames say together."""

from __future__ import annotations

from dataclasses import dataclass

from graphile_worker.queries.watch_frame import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """A second, since the frame before."""

    added: float
    done: float


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a display shows."""

    schema: str
    frame: Frame
    rates: Rates | None
    """None of the first frame, and after the counters were reset."""
    lost_for: float | None = None
    """Seconds since the database could not be asked any more; the frame is as old."""
    error: str = ""


def rates(before: Frame, after: Frame) -> Rates | None:
    """From the server's counters; None where they went backwards, after a crash or a reset."""
    seconds = after.now - before.now
    if None in {before.added, before.done, after.added, after.done} or seconds <= 0:
        return None
    added = (after.added or 0) - (before.added or 0)
    done = (after.done or 0) - (before.done or 0)
    if added < 0 or done < 0:
        return None
    return Rates(added=added / seconds, done=done / seconds)
