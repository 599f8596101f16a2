"""A job definition with its handler."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.definition import JobDefinition
from graphile_worker.jobs.spec import UNSET, JobSpec
from graphile_worker.payloads.codec import PayloadCodec
from graphile_worker.payloads.select import codec_for
from graphile_worker.runtime.duration import Duration, duration
from graphile_worker.tasks.annotations import names_around
from graphile_worker.tasks.executor import Executor, ExecutorKind, executor_of
from graphile_worker.tasks.signature import Signature, SignatureReader

P = TypeVar("P")
I = TypeVar("I")  # noqa: E741 (an item)
R = TypeVar("R")
A = ParamSpec("A")

Backoff = Callable[[int], timedelta]


class Task(JobDefinition[P]):
    """A handler, the name of its jobs, and how they run. Made by `@task`; registered nowhere.

    The handler's annotations are resolved at first use: when a job is added, when a worker starts,
    or by `resolve`.

    Args:
        fn: the handler.
        identifier: what the task is called in the database.
        payload: the type of the payload; None for none; taken from the annotation when left out.
        spec: when and how its jobs run, unless a call says otherwise.
        executor: where the handler runs.
        timeout: how long one run may take, more than 0; no limit when None.
        backoff: the delay before the next attempt, from the number of attempts so far.

    Raises:
        ConfigurationError: a value makes no sense, or the handler cannot run so.
    """

    is_batch = False

    def __init__(
        self,
        fn: Callable[..., Any],
        identifier: str,
        *,
        payload: Any = UNSET,
        spec: JobSpec | None = None,
        executor: Executor = "auto",
        timeout: Duration | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(identifier, spec)
        with _named(identifier):
            self.executor: ExecutorKind = executor_of(fn, executor)
            self.timeout = None if timeout is None else duration("timeout", timeout, positive=True)
            if backoff is not None and not callable(backoff):
                raise ConfigurationError(
                    "backoff must be a function from the attempt number to a timedelta, "
                    f"got {backoff!r}"
                )
        self.fn = fn
        self.backoff = backoff
        self._payload = payload
        self._names = names_around(fn)
        functools.update_wrapper(self, fn, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the handler, as tests do."""
        return self.fn(*args, **kwargs)

    @functools.cached_property
    def is_awaited_plainly(self) -> bool:
        """Whether a run is no more than the handler, awaited on the loop."""
        return self.executor == "async" and self.timeout is None and not self.is_batch

    @functools.cached_property
    def takes_payload(self) -> bool:
        """Whether the handler is called with the payload."""
        return self._signature.takes_payload

    @functools.cached_property
    def takes_context(self) -> bool:
        """Whether the handler is called with the context, after the payload if there is one."""
        return self._signature.takes_context

    @functools.cached_property
    def payload_type(self) -> Any:
        """What the handler's payload is; None when it takes none."""
        return self._signature.payload_type

    @functools.cached_property
    def codec(self) -> PayloadCodec[Any]:
        """How the payload is written and read."""
        with _named(self.identifier):
            return codec_for(self.payload_type)

    @functools.cached_property
    def decode(self) -> Callable[[str], P]:
        """The handler's payload from stored JSON text; raises `PayloadError`."""
        return self.codec.decode

    def resolve(self) -> None:
        """Resolve the handler's annotations now, so that a mistake in them shows.

        Raises:
            ConfigurationError: an annotation cannot be resolved, its type cannot be read from
                JSON, or the handler takes something that it will not be given.
        """
        _ = self.takes_payload, self.takes_context, self.decode

    @functools.cached_property
    def _signature(self) -> Signature:
        with _named(self.identifier):
            signature = self._read_signature()
        self._names = {}  # they may hold anything, and are not needed again
        return signature

    def _read_signature(self) -> Signature:
        return self._reader().read()

    def _reader(self) -> SignatureReader:
        return SignatureReader(
            self.fn, executor=self.executor, payload=self._payload, names=self._names
        )


class FunctionTask(Task[P], Generic[P, A, R]):
    """A task that type checkers let you call like its function."""

    fn: Callable[A, R]

    def __call__(self, *args: A.args, **kwargs: A.kwargs) -> R:
        """Call the handler, as tests do."""
        return self.fn(*args, **kwargs)


class BatchTask(FunctionTask[list[I], A, R], Generic[I, A, R]):
    """A task whose payload is a list; only the items that failed are retried."""

    is_batch = True

    @functools.cached_property
    def item(self) -> type[I]:
        """What the items are."""
        item: type[I] = self.payload_type.__args__[0]
        return item

    def _read_signature(self) -> Signature:
        return self._reader().read_batch()


class _named:  # noqa: N801 (used like a function)
    """Puts the task's name before a mistake found in it."""

    def __init__(self, identifier: str) -> None:
        self._identifier = identifier

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, ConfigurationError):
            raise ConfigurationError(f"the task {self._identifier!r}: {error}") from error
