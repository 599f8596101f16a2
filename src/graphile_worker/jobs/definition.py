"""All that a producer needs to know of a task."""

from __future__ import annotations

import functools
from typing import Any, Generic, Protocol, TypeGuard, TypeVar, overload

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.jobs.spec import JobSpec, check_identifier, check_spec
from graphile_worker.payloads.codec import PayloadCodec
from graphile_worker.payloads.select import codec_for

P = TypeVar("P")


class JobDefinition(Generic[P]):
    """An identifier, what its payload is, and how its jobs run unless a call says otherwise.

    `Task` is one that also knows its handler; `task_ref` makes one without.

    Raises:
        ConfigurationError: the identifier is empty or over 128 characters.
    """

    def __init__(self, identifier: str, spec: JobSpec | None = None) -> None:
        self.identifier = check_identifier(identifier)
        self.spec = JobSpec() if spec is None else spec
        self._merged = (self.spec, self.spec)
        if not isinstance(self.spec, JobSpec):
            raise ConfigurationError(f"{self.identifier!r}: spec must be a JobSpec, got {spec!r}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.identifier!r}>"

    @functools.cached_property
    def codec(self) -> PayloadCodec[Any]:
        """How the payload is written and read.

        Raises:
            ConfigurationError: the payload type cannot be resolved, or cannot be read from JSON.
        """
        raise NotImplementedError

    @overload
    def job(
        self: JobDefinition[None], payload: None = None, spec: JobSpec | None = None
    ) -> NewJob: ...

    @overload
    def job(self, payload: P, spec: JobSpec | None = None) -> NewJob: ...

    def job(self, payload: Any = None, spec: JobSpec | None = None) -> NewJob:
        """One job of this task, ready to be added.

        Args:
            payload: what the task takes; nothing for one without payload.
            spec: when and how this job runs, laid over the task's own spec.

        Raises:
            PayloadError: the payload is not what the task takes, or is not JSON.
            ConfigurationError: `spec` is no `JobSpec`.
        """
        return NewJob(
            identifier=self.identifier,
            payload=self.codec.encode(payload),
            spec=self.spec if spec is None else self._spec_over_own(spec),
        )

    def _spec_over_own(self, spec: JobSpec) -> JobSpec:
        """Merged once for many jobs: bulk adds hand in one spec a hundred thousand times."""
        given, merged = self._merged
        if given is not spec:
            merged = check_spec(spec).over(self.spec)
            self._merged = (spec, merged)
        return merged


class TaskReference(JobDefinition[P]):
    """A task by its name and payload type; its handler lives in another program."""

    def __init__(self, identifier: str, payload: Any, spec: JobSpec | None = None) -> None:
        super().__init__(identifier, spec)
        self._payload_type = payload

    @functools.cached_property
    def codec(self) -> PayloadCodec[Any]:
        """See `JobDefinition.codec`."""
        try:
            return codec_for(self._payload_type)
        except ConfigurationError as error:
            raise ConfigurationError(f"the task {self.identifier!r}: {error}") from error


@overload
def task_ref(
    identifier: str, payload: None, *, spec: JobSpec | None = None
) -> JobDefinition[None]: ...
@overload
def task_ref(
    identifier: str, payload: type[P], *, spec: JobSpec | None = None
) -> JobDefinition[P]: ...
@overload
def task_ref(
    identifier: str, payload: Any = ..., *, spec: JobSpec | None = None
) -> JobDefinition[Any]: ...
def task_ref(
    identifier: str, payload: Any = Any, *, spec: JobSpec | None = None
) -> JobDefinition[Any]:
    """A task to add jobs of, without its handler's code.

    Args:
        identifier: its name, as the workers that run it know it.
        payload: its payload type; None for no payload, `list[Item]` for a batch task. Any JSON
            value when left out.
        spec: when and how its jobs run, unless a call says otherwise.

    Raises:
        ConfigurationError: the identifier is empty or over 128 characters.

    Example:
        send_email = task_ref("send_email", SendEmail)
        await utils.add_job(send_email, SendEmail(to="a@example.com"))
    """
    return TaskReference(identifier, payload, spec)


class RunsItself(Protocol):
    """What a task class is: a payload with an `IDENTIFIER` of its class and its own handler.

    `IDENTIFIER` is looked for when the class is used: type checkers disagree about it here.
    """

    def run(self, ctx: Any, /) -> Any:
        """Run the job whose payload this is."""
        ...


TaskClass = TypeVar("TaskClass", bound=RunsItself)
"""A class with `IDENTIFIER` and `run`, whose fields are the payload."""


def is_task_class(thing: object) -> bool:
    """Whether this is a class that says which task it is, and how to run it."""
    return isinstance(thing, type) and hasattr(thing, "IDENTIFIER") and hasattr(thing, "run")


@overload
def as_definition(task: JobDefinition[P]) -> JobDefinition[P]: ...
@overload
def as_definition(task: type[TaskClass]) -> JobDefinition[TaskClass]: ...
@overload
def as_definition(task: object) -> JobDefinition[Any]: ...
def as_definition(task: object) -> JobDefinition[Any]:
    """The task that somebody names when adding a job.

    Args:
        task: a task, a `task_ref` or a task class.

    Raises:
        ConfigurationError: it is none of these; the message says what to write instead.
    """
    if _is_definition(task):
        return task
    if isinstance(task, type) and is_task_class(task):
        return _definition_of_class(task)
    if isinstance(task, str):
        raise ConfigurationError(
            f"expected a task, got the string {task!r}: use add_raw_job for a task by its name, "
            f"or task_ref({task!r}, PayloadType)"
        )
    raise not_a_task(task)


def not_a_task(thing: object) -> ConfigurationError:
    """What to tell somebody who gave something else for a task."""
    name = getattr(thing, "__qualname__", None)
    if isinstance(thing, type):
        return ConfigurationError(
            f"expected a task, got the class {name}, which lacks IDENTIFIER or a run method"
        )
    if is_task_class(type(thing)):
        return ConfigurationError(
            f"expected a task, got a {type(thing).__qualname__} object: give its class"
        )
    if callable(thing) and name is not None:
        return ConfigurationError(
            f"expected a task, got the function {name}: decorate it with @task"
        )
    return ConfigurationError(f"expected a task, got {thing!r}")


def _is_definition(thing: object) -> TypeGuard[JobDefinition[Any]]:
    return isinstance(thing, JobDefinition)


# A definition holds the codec, which is worth keeping between two jobs of one class.
@functools.lru_cache(maxsize=256)
def _definition_of_class(task_class: type) -> JobDefinition[Any]:
    return TaskReference(task_class.IDENTIFIER, task_class)  # type: ignore[attr-defined]
