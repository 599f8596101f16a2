"""All that a producer needs to know of a task."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import JobSpec, check_identifier
from graphile_worker.payloads.codec import PayloadCodec

P = TypeVar("P")


class JobDefinition(Generic[P]):
    """An identifier, what its payload is, and how its jobs run unless a call says otherwise.

    `Task` is one that also knows its handler; `task_ref` makes one without.
    """

    __slots__ = ("identifier", "spec")

    def __init__(self, identifier: str, spec: JobSpec) -> None:
        self.identifier = check_identifier(identifier)
        self.spec = spec

    @property
    def codec(self) -> PayloadCodec[Any]:
        """How the payload is written and read."""
        raise NotImplementedError

    def job(self, payload: P, spec: JobSpec | None = None) -> NewJob:
        """One job of this task, ready to be added.

        Raises:
            PayloadError: the payload is not what the task takes, or is not JSON.
        """
        return NewJob(
            identifier=self.identifier,
            payload=self.codec.encode(payload),
            spec=self.spec if spec is None else spec.over(self.spec),
        )
