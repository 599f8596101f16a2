"""What is kept of the past, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Final, Literal, Self, TypeAlias

from graphile_worker.errors import ConfigurationError
from graphile_worker.runtime.duration import Duration, duration

RunLog: TypeAlias = Literal["off", "failed", "all"]

RUN_LOGS: Final = ("off", "failed", "all")

Resolution: TypeAlias = Literal["minute", "hour", "day"]


@dataclass(frozen=True, kw_only=True)
class HistoryConfig:
    """What is kept of the past, and for how long. Stored in the database by `history install`.

    Raises:
        ConfigurationError: a run log that there is not, or a duration that is none.
    """

    run_log: RunLog = "failed"
    """Which attempts have a row each: `failed` those that did not end well, `all`, or `off` none.
    `all` costs a row more for each job."""
    keep_samples: Duration = timedelta(days=30)
    """How the queue stood, once a minute: 43,200 rows in 30 days."""
    keep_minutes: Duration = timedelta(hours=48)
    """Counts and durations of each task by the minute: a row for each minute in which it ran."""
    keep_hours: Duration = timedelta(days=30)
    """The same by the hour."""
    keep_days: Duration = timedelta(days=400)
    """The same by the day."""
    keep_runs: Duration = timedelta(days=7)
    """Attempts; dropped by whole days."""

    def __post_init__(self) -> None:
        if self.run_log not in RUN_LOGS:
            raise ConfigurationError(
                f"run_log must be one of {', '.join(RUN_LOGS)}, got {self.run_log!r}"
            )
        for name in _DURATIONS:
            value = duration(name, getattr(self, name), positive=True)
            object.__setattr__(self, name, value)

    def settings(self) -> dict[str, Any]:
        """As JSON; durations in seconds."""
        kept = {name: self.kept(name).total_seconds() for name in _DURATIONS}
        return {"run_log": self.run_log, **kept}

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """From that; what a later version may have added is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in settings.items() if name in known})

    def kept(self, name: str) -> timedelta:
        """A duration, checked; at most 1000 years, since calendars end."""
        return min(duration(name, getattr(self, name)), _LONGEST)


_LONGEST: Final = timedelta(days=365_250)
_DURATIONS: Final = ("keep_samples", "keep_minutes", "keep_hours", "keep_days", "keep_runs")
