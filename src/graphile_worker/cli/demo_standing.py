"""Where the jobs of the demo stand at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from graphile_worker.queries.manage_jobs import Stats


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the jobs are."""

    done: int
    total: int
    seconds: float
    stats: Stats

    @property
    def per_second(self) -> float:
        """Jobs done a second, on average."""
        return self.done / self.seconds if self.seconds else 0.0
