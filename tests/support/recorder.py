"""A plugin that remembers every event."""

from __future__ import annotations

from typing import Any, TypeVar

from graphile_worker import HookRegistry
from graphile_worker.hooks import events
from graphile_worker.hooks.events import InterceptorEvent, ObserverEvent

E = TypeVar("E")

ALL: list[Any] = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type)
    and issubclass(kind, (ObserverEvent, InterceptorEvent))
    and kind not in {ObserverEvent, InterceptorEvent}
]
"""Every event, in the order of the code."""
JOBS = [kind for kind in ALL if kind.__name__.startswith("Job") or "JobRun" in kind.__name__]
"""Those of a job that runs."""


class Recorder:
    """Knows of every event of those kinds, in order; answers no question."""

    def __init__(self, kinds: list[Any] = ALL) -> None:
        self.events: list[Any] = []
        self._kinds = kinds

    def register(self, hooks: HookRegistry) -> None:
        for kind in self._kinds:
            hooks.on(kind, self.events.append)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if type(event) is kind]

    @property
    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def of_job(self, job_id: int) -> list[str]:
        """What was told of a job that ran, in order."""
        jobs = [event for event in self.events if type(event) in JOBS]
        return [type(event).__name__ for event in jobs if event.job.id == job_id]
