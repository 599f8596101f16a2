"""All that a producer needs to know of a task (first version)."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import JobSpec, check_identifier
from graphile_worker.payloads.codec import PayloadCodec, codec_for

P = TypeVar("P")
TaskClass = TypeVar("TaskClass")


class JobDefinition(Generic[P]):
    def __init__(self, identifier: str, spec: JobSpec) -> None:
        self.identifier = check_identifier(identifier)
        self.spec = spec

    @property
    def codec(self) -> PayloadCodec[Any]:
        raise NotImplementedError

    def job(self, payload: P, spec: JobSpec | None = None) -> NewJob:
        return NewJob(
            identifier=self.identifier,
            payload=self.codec.encode(payload),
            spec=self.spec if spec is None else spec.over(self.spec),
        )


class _Ref(JobDefinition[P]):
    def __init__(self, identifier: str, type_: Any, spec: JobSpec) -> None:
        super().__init__(identifier, spec)
        self._codec = codec_for(type_)

    @property
    def codec(self) -> PayloadCodec[Any]:
        return self._codec


def task_ref(identifier: str, payload: Any, spec: JobSpec = JobSpec()) -> JobDefinition[Any]:
    return _Ref(identifier, payload, spec)


def as_definition(task: Any) -> JobDefinition[Any]:
    return task
