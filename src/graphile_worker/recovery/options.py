"""The knobs of heartbeats and sweeps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from graphile_worker.errors import ConfigurationError
from graphile_worker.runtime.duration import Duration, duration

BEATS_PER_THRESHOLD = 3
"""Heartbeats that may be missed before others take this worker for dead, at the least."""


@dataclass(frozen=True, kw_only=True)
class WorkerRecoveryConfig:
    """How a worker shows that it is alive, and what it does about those that do not.

    Raises:
        ConfigurationError: an option that makes no sense.
    """

    enabled: bool = True
    """Whether this worker looks for dead ones. Off, it still sends heartbeats: others sweep."""
    recover_orphans: bool = False
    """Whether locks of ids that never registered are taken too, once they are older than
    `sweep_threshold`. Node.js workers never register: their long jobs would run twice."""
    heartbeat_interval: Duration = timedelta(seconds=30)
    """How often a worker says that it is alive; at least three times in its `sweep_threshold`."""
    sweep_interval: Duration = timedelta(seconds=60)
    """How often a worker looks for dead ones."""
    sweep_threshold: Duration = timedelta(minutes=5)
    """How long a worker has to be silent to count as dead."""
    recovery_delay: Duration = timedelta(seconds=30)
    """When the job of a dead worker may run again."""
    resilient_sweep_threshold_multiplier: float = 3
    """How many times `sweep_threshold` a worker may be silent while it holds a job with one of
    `resilient_job_flags`; at least 1."""
    resilient_job_flags: Iterable[str] = ("infrastructure_resilient",)
    """Flags of jobs that outlive long outages of the database by themselves."""
    max_refunds: int = 3
    """How many deaths in a row do not cost a job an attempt. The next ones do, so that a job that
    kills its worker comes to an end."""

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        for name in ("heartbeat_interval", "sweep_interval", "sweep_threshold"):
            set_field(self, name, duration(name, getattr(self, name), positive=True))
        set_field(self, "recovery_delay", duration("recovery_delay", self.recovery_delay))
        if not self.resilient_sweep_threshold_multiplier >= 1:
            raise ConfigurationError(
                "resilient_sweep_threshold_multiplier must be at least 1, got "
                f"{self.resilient_sweep_threshold_multiplier!r}"
            )
        if isinstance(self.resilient_job_flags, str):
            raise ConfigurationError(
                "resilient_job_flags must be a collection of strings, got "
                f"{self.resilient_job_flags!r}"
            )
        set_field(self, "resilient_job_flags", tuple(self.resilient_job_flags))
        if isinstance(self.max_refunds, bool) or not isinstance(self.max_refunds, int):
            raise ConfigurationError(
                f"max_refunds must be a whole number, got {self.max_refunds!r}"
            )
        if self.max_refunds < 0:
            raise ConfigurationError(f"max_refunds must be at least 0, got {self.max_refunds}")

    @property
    def threshold_seconds(self) -> float:
        """`sweep_threshold` in seconds."""
        return _seconds(self.sweep_threshold)

    @property
    def seconds_between_heartbeats(self) -> float:
        """The interval that is kept: short enough for this worker's own threshold."""
        longest = self.threshold_seconds / BEATS_PER_THRESHOLD
        return min(_seconds(self.heartbeat_interval), longest)

    @property
    def seconds_between_sweeps(self) -> float:
        """`sweep_interval` in seconds."""
        return _seconds(self.sweep_interval)


def _seconds(value: Duration) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
