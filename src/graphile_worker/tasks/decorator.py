"""`@task` and `@batch_task`: functions become tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    overload,
)

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.definition import is_task_class
from graphile_worker.jobs.spec import UNSET, JobSpec
from graphile_worker.runtime.duration import Duration
from graphile_worker.tasks.executor import Executor
from graphile_worker.tasks.task import Backoff, BatchTask, FunctionTask, Task

if TYPE_CHECKING:
    from graphile_worker.tasks.context import SyncWorkerContext, WorkerContext

    AnyContext = WorkerContext | SyncWorkerContext

P = TypeVar("P")
I = TypeVar("I")  # noqa: E741 (an item)
R = TypeVar("R")
A = ParamSpec("A")
C = TypeVar("C", bound="AnyContext")

BatchResult: TypeAlias = Sequence[BaseException | None] | None
"""What a batch handler returns: nothing when all is done, or one entry an item."""
B = TypeVar("B", bound=Awaitable[BatchResult] | BatchResult)


class TaskDecorator(Protocol):
    """Makes a task of a function, with its payload type from the annotation."""

    @overload
    def __call__(self, fn: Callable[[object], R], /) -> FunctionTask[Any, [Any], R]: ...
    @overload
    def __call__(self, fn: Callable[[C], R], /) -> FunctionTask[None, [C], R]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[P, A], R], /
    ) -> FunctionTask[P, Concatenate[P, A], R]: ...
    @overload
    def __call__(self, fn: Callable[[], R], /) -> FunctionTask[None, [], R]: ...


class TypedTaskDecorator(Protocol[P]):
    """Makes a task of a function, with the payload type that was given."""

    def __call__(self, fn: Callable[A, R], /) -> FunctionTask[P, A, R]:
        """The task."""
        ...


class BatchTaskDecorator(Protocol):
    """Makes a batch task of a function."""

    def __call__(
        self, fn: Callable[Concatenate[list[I], A], B], /
    ) -> BatchTask[I, Concatenate[list[I], A], B]:
        """The task."""
        ...


# A function that takes anything fits all of these; then its payload may be anything.
@overload
def task(fn: Callable[[object], R], /) -> FunctionTask[Any, [Any], R]: ...
@overload
def task(fn: Callable[[C], R], /) -> FunctionTask[None, [C], R]: ...
@overload
def task(fn: Callable[Concatenate[P, A], R], /) -> FunctionTask[P, Concatenate[P, A], R]: ...
@overload
def task(fn: Callable[[], R], /) -> FunctionTask[None, [], R]: ...
@overload
def task(
    identifier: str | None = None,
    *,
    spec: JobSpec | None = None,
    executor: Executor = "auto",
    timeout: Duration | None = None,
    backoff: Backoff | None = None,
) -> TaskDecorator: ...
@overload
def task(
    identifier: str | None = None,
    *,
    payload: None,
    spec: JobSpec | None = None,
    executor: Executor = "auto",
    timeout: Duration | None = None,
    backoff: Backoff | None = None,
) -> TypedTaskDecorator[None]: ...
@overload
def task(
    identifier: str | None = None,
    *,
    payload: type[P],
    spec: JobSpec | None = None,
    executor: Executor = "auto",
    timeout: Duration | None = None,
    backoff: Backoff | None = None,
) -> TypedTaskDecorator[P]: ...
@overload
def task(
    identifier: str | None = None,
    *,
    payload: Any,
    spec: JobSpec | None = None,
    executor: Executor = "auto",
    timeout: Duration | None = None,
    backoff: Backoff | None = None,
) -> TypedTaskDecorator[Any]: ...
def task(
    identifier: Any = None,
    *,
    payload: Any = UNSET,
    spec: JobSpec | None = None,
    executor: Executor = "auto",
    timeout: Duration | None = None,
    backoff: Backoff | None = None,
) -> Any:
    """Make a task of a function. It is registered nowhere: give it to a worker.

    The function takes its payload, then the context; each may be left out. An async one runs on the
    event loop with a `WorkerContext`, a plain one in a thread with a `SyncWorkerContext`.

    Args:
        identifier: what the task is called in the database; the function's name when left out.
        payload: the payload type; None for none. From the annotation when left out.
        spec: when and how its jobs run, unless a call says otherwise.
        executor: `"process"` for work that computes: a plain function without context.
        timeout: how long one run may take, a timedelta or seconds, more than 0.
        backoff: the delay after a failure, from the number of attempts so far (1 after the first).
            Default: `exp(min(attempts, 10))` seconds.

    Raises:
        ConfigurationError: the function cannot be a handler, or an option makes no sense.

    Example:
        @task
        async def send_email(payload: SendEmail, ctx: WorkerContext) -> None: ...

        @task("reports:daily", spec=JobSpec(queue_name="reports"), timeout=timedelta(minutes=2))
        def build_report(payload: Report) -> None: ...
    """

    def decorate(fn: Callable[..., Any]) -> FunctionTask[Any, ..., Any]:
        handler, name = _handler(fn, identifier if fn is not identifier else None, payload)
        return FunctionTask(
            handler,
            name,
            payload=payload,
            spec=spec,
            executor=executor,
            timeout=timeout,
            backoff=backoff,
        )

    return decorate(identifier) if _is_bare(identifier) else decorate


@overload
def batch_task(
    fn: Callable[Concatenate[list[I], A], B], /
) -> BatchTask[I, Concatenate[list[I], A], B]: ...
@overload
def batch_task(
    identifier: str | None = None,
    *,
    spec: JobSpec | None = None,
    timeout: Duration | None = None,
    backoff: Backoff | None = None,
) -> BatchTaskDecorator: ...
def batch_task(
    identifier: Any = None,
    *,
    spec: JobSpec | None = None,
    timeout: Duration | None = None,
    backoff: Backoff | None = None,
) -> Any:
    """Make a task of a function that takes a list of items, then the context.

    It returns None when all is done, or one entry an item: None where the item is done, an
    exception where it failed. Only failed items are retried, as they were stored.

    Args:
        identifier: what the task is called in the database; the function's name when left out.
        spec: when and how its jobs run, unless a call says otherwise.
        timeout: how long one run may take, a timedelta or seconds, more than 0.
        backoff: the delay after a failure, from the number of attempts so far.

    Raises:
        ConfigurationError: the function cannot be a handler, or an option makes no sense.

    Example:
        @batch_task
        async def notify(items: list[Notification]) -> list[Exception | None]: ...
    """

    def decorate(fn: Callable[..., Any]) -> BatchTask[Any, ..., Any]:
        handler, name = _handler(fn, identifier if fn is not identifier else None, UNSET)
        return BatchTask(handler, name, spec=spec, timeout=timeout, backoff=backoff)

    return decorate(identifier) if _is_bare(identifier) else decorate


def _is_bare(identifier: object) -> bool:
    """Whether the decorator stands without arguments; a wrong identifier is told of as such."""
    return identifier is not None and not isinstance(identifier, str)


def _handler(fn: Any, identifier: str | None, payload: Any) -> tuple[Callable[..., Any], str]:
    """The function to call, and the name of its task."""
    if isinstance(fn, staticmethod):
        fn = fn.__func__
    if isinstance(fn, Task):
        raise ConfigurationError(f"{fn.identifier!r} is a task already; decorate it once")
    if isinstance(fn, type):
        hint = "pass it as it is" if is_task_class(fn) else "give it IDENTIFIER and a run method"
        raise ConfigurationError(f"@task is for functions, got the class {fn.__qualname__}: {hint}")
    if not callable(fn):
        raise ConfigurationError(f"@task is for functions, got {fn!r}")
    name = identifier if identifier is not None else getattr(fn, "__name__", None)
    if name is None or name == "<lambda>":
        raise ConfigurationError(f'{fn!r} has no name: give the task one, @task("name")')
    if payload is UNSET and _is_method(fn):
        raise ConfigurationError(
            f"{fn.__qualname__} is a method, and nobody gives it a self: make it a function, "
            "or its class a task class with IDENTIFIER and run"
        )
    return fn, name


def _is_method(fn: Any) -> bool:
    code = getattr(fn, "__code__", None)
    return (
        code is not None
        and not hasattr(fn, "__self__")
        and code.co_varnames[:1]
        in {
            ("self",),
            ("cls",),
        }
    )
